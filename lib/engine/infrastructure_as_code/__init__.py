"""A described stack as other tools have it: CloudFormation's templates, Terraform's configuration."""
