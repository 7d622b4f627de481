r"""A plugin for detect-secrets (https://github.com/Yelp/detect-secrets) that finds Latchkey's API tokens.

    detect-secrets scan --plugin detect_secrets_latchkey.py \
      --disable-filter detect_secrets.filters.heuristic.is_indirect_reference

Without the second option it takes `client = Client("lka_...")` for a reference to a secret that is elsewhere. The
plugin checks the checksum at the secret's end, so what only looks like a secret is not reported.
"""

import re
import zlib

from detect_secrets.plugins.base import RegexBasedDetector

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
CHECKSUM_LENGTH = 6


def checksum(text):
    """The CRC-32 of a text in base62."""
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


class LatchkeyTokenDetector(RegexBasedDetector):
    """Scans for the secrets of Latchkey's API tokens."""

    secret_type = "Latchkey API token"
    denylist = [re.compile(r"lk[ai]_[0-9A-Za-z]{49}")]

    def analyze_string(self, string):
        for secret in super().analyze_string(string):
            if secret.endswith(checksum(secret[:-CHECKSUM_LENGTH])):
                yield secret
