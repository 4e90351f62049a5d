"""What an operator does with a pipeline that exists."""
