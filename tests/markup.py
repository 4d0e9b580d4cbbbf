"""A page as a browser reads it, for tests that need none."""

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Collects what a browser would: text, ids, and elements that are left open."""

    EMPTY = frozenset({"meta", "link", "img", "br", "use", "path", "rect", "wbr"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.ids: list[str] = []
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.missing_alt = 0
        self._open: list[str] = []
        self._glued = False
        self.feed(text)
        self.close()
        self.left_open = list(self._open)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._glued |= tag == "wbr"
        self.tags.append(tag)
        self.ids += [given["id"] or ""] if "id" in given else []
        self.sources += [str(given[k]) for k in ("src", "href", "action") if k in given]
        self.missing_alt += tag == "img" and not given.get("alt")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.EMPTY:
            return
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not (self._open and self._open[-1] in {"script", "style"}):
            if self._glued:
                self.words[-1] += data
            else:
                self.words.append(data)
            self._glued = False

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())
