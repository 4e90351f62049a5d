"""What botocore knows of AWS: models of services, endpoints. Megabytes of JSON, read once by a process."""

from botocore.loaders import Loader

MODELS = Loader()
