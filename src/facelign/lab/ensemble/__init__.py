"""Several models as one."""

from facelign.lab import needs

needs("scipy", "sklearn")
