"""What the notebooks call: AWS through boto3, one idea a file."""
