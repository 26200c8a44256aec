"""A reader of pages: what is well-formed, named and self-contained."""

import html.parser
import re

VOID = {"meta", "link", "img", "input", "br", "hr"}
# Their ends may be left out, before these or with their parent.
IMPLIED = {"tr", "td", "th", "li", "p", "option"}


class Page(html.parser.HTMLParser):
    """Tags in order; errors of nesting, of headings, of ids."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.errors, self.open, self.tags, self.texts = [], [], [], {}
        self.feed(text)
        self.close()
        if self.open:
            self.errors.append(f"left open: {self.open}")
        ids = [values["id"] for _, values in self.tags if "id" in values]
        self.errors += [f"id {name} twice" for name in {i for i in ids if ids.count(i) > 1}]
        self.ids = set(ids)
        self._headings()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag in VOID:
            return
        ends = {"td": {"td", "th"}, "th": {"td", "th"}, "tr": {"td", "th", "tr"}}.get(tag, set())
        while self.open and self.open[-1] in ends and tag not in ("thead", "tbody"):
            self.open.pop()
        self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open[-1] != tag and self.open[-1] in IMPLIED:
            self.open.pop()
        if not self.open or self.open[-1] != tag:
            self.errors.append(f"</{tag}> within {self.open[-3:]}")
        else:
            self.open.pop()

    def handle_data(self, data):
        for tag in self.open[-2:]:
            self.texts.setdefault(tag, []).append(data)

    def text(self, tag):
        """All that stands directly in tags of a name."""
        return " ".join("".join(self.texts.get(tag, [])).split())

    def of(self, tag):
        """The attributes of all tags of a name."""
        return [values for name, values in self.tags if name == tag]

    def _headings(self):
        before = 0
        for tag, _ in self.tags:
            if re.fullmatch(r"h[1-6]", tag):
                if int(tag[1]) > before + 1:
                    self.errors.append(f"{tag} after h{before}")
                before = int(tag[1])


def faults(text):
    """What is wrong with a page, as lines; none of a good one."""
    page = Page(text)
    found = list(page.errors)
    if [tag for tag, _ in page.tags].count("h1") != 1 or not page.of("main"):
        found.append("no single h1, or no main")
    found += [f"image without a text: {v}" for v in page.of("img") if not v.get("alt")]
    found += ["a table without a caption"] * (len(page.of("table")) - len(page.of("caption")))
    found += [f"th without scope: {v}" for v in page.of("th") if "scope" not in v]
    for tag, values in page.tags:
        for name in ("src", "href"):
            value = values.get(name) or ""
            if re.match(r"(https?:)?//", value):
                found.append(f"{tag} needs a network: {value}")
            if value.startswith("#") and value[1:] not in page.ids:
                found.append(f"a link to nothing: {value}")
        for name in ("aria-labelledby", "for"):
            found += [f"{name} {i}" for i in (values.get(name) or "").split() if i not in page.ids]
    styles = page.text("style")
    found += ["a style needs a network"] * bool(re.search(r"@import|url\((?!data:)", styles))
    return found
