"""Holds a bill of materials against CycloneDX's own schema: python check_bill.py BILL"""

import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

with open(sys.argv[1], encoding="utf-8") as bill:
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(bill.read())
if error is not None:
    sys.exit(f"{sys.argv[1]}: {error}")
