"""What differs between environments: `Parameters`, its sections and their types."""

from lib.parameters.model import Parameters, names_in

__all__ = ["Parameters", "names_in"]
