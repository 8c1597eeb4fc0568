"""What an agent formats in Chatwoot's editor, as it reads in a chat that knows no formatting. Pure.

Chatwoot keeps what its editor makes as Markdown: bold is `**`, a line break a backslash at the end of a line, and whatever might mean
something to Markdown has a backslash before it. An investor is to read the words, not the marks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

# No HTML: what looks like it is what somebody wrote. No indented code either: nobody means it in a chat.
_READER: Final = MarkdownIt("commonmark", {"html": False}).disable(["code", "html_block", "html_inline", "reference"])


def plain(markdown: str) -> str:
    """The words; a link's address follows its text, paragraphs and points of a list keep their lines."""
    return "".join(_blocks(_READER.parse(markdown))).strip()


def _blocks(tokens: Sequence[Token]) -> Iterator[str]:
    numbers: list[int | None] = []
    tight = False
    for token in tokens:
        match token.type:
            case "bullet_list_open":
                numbers.append(None)
            case "ordered_list_open":
                numbers.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                numbers.pop()
                yield "" if numbers else "\n"
            case "list_item_open":
                number = numbers[-1]
                yield "  " * (len(numbers) - 1) + ("- " if number is None else f"{number}. ")
                if number is not None:
                    numbers[-1] = number + 1
            case "paragraph_open":
                tight = bool(numbers)
            case "inline":
                yield "".join(_inline(token.children or ()))
            case "paragraph_close" | "heading_close":
                yield "\n" if tight else "\n\n"
            case "fence":
                yield f"{token.content}\n"
            case "hr":
                yield "---\n\n"


def _inline(tokens: Sequence[Token]) -> Iterator[str]:
    links: list[tuple[str, list[str]]] = []

    def put(text: str) -> str:
        for _, within in links:
            within.append(text)
        return text

    for token in tokens:
        match token.type:
            case "softbreak" | "hardbreak":
                yield put("\n")
            case "link_open":
                links.append((str(token.attrGet("href") or ""), []))
            case "link_close":
                address, within = links.pop()
                if address not in ("".join(within), f"mailto:{''.join(within)}"):
                    yield put(f" ({address})")
            case "image":
                yield put(token.content)
            case _:
                yield put(token.content)
