"""Text from people, such as the name of a run, in elements that render Markdown."""

import re

_JOINER = "\u2060"  # WORD JOINER: invisible, and part of no address, icon or emoji

# Streamlit looks for addresses, icons and emojis in the text that is left once escapes are resolved, so a backslash
# does not stop it: something invisible has to stand between their characters.
_RECOGNISED = re.compile(r"[:@](?=\S)|www(?=\.)", re.IGNORECASE)
_SPECIAL = re.compile(
    r"""[\\`*\[\]<$~|&^] | :(?=\S) | ^[-+=>\#] | ^\d+[.)]  # marks, directives, headings and lists
      | (?<![^\W_])_ | _(?![^\W_])  # not within a word such as ABP_HOME""",
    re.VERBOSE,
)


def literal(text: str) -> str:
    r"""Markdown that shows a text as it is: without links, pictures, icons, formulas or formatting.

    >>> literal("digits, 80 %"), literal("**bold**"), literal("![](x)")
    ('digits, 80 %', '\\*\\*bold\\*\\*', '!\\[\\](x)')
    """
    line = _RECOGNISED.sub(lambda found: found.group() + _JOINER, " ".join(text.split()))
    return _SPECIAL.sub(lambda found: f"{found.group()[:-1]}\\{found.group()[-1]}", line)
