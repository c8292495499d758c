from harness.htmlrows import paragraphs

PAGE = """<!doctype html>
<html><head><title>Unseen</title><style>p {}</style></head>
<body>Before
<h1>The  <em>title</em></h1>
<p>One &amp; <b>two</b>
three.<p>Open ended.
<h2>Part</h2>
<ol><li>First<ul><li>inner</li></ul></li><li><p>Second</p></li></ol>
<p> </p><script>unseen()</script>
line<br>break
</body></html>"""


def test_a_row_a_paragraph_under_its_heading():
    rows = list(paragraphs(PAGE))
    assert [(row["section"], row["paragraph"], row["heading"], row["text"]) for _, row in rows] == [
        (0, 1, "", "Before"),
        (1, 1, "The title", "One & two three."),
        (1, 2, "The title", "Open ended."),
        (2, 1, "Part", "First"),
        (2, 2, "Part", "inner"),
        (2, 3, "Part", "Second"),
        (2, 4, "Part", "line"),
        (2, 5, "Part", "break"),
    ]
    assert [line for line, _ in rows] == [3, 5, 6, 8, 8, 8, 10, 10]


def test_a_page_may_be_empty_or_broken():
    assert list(paragraphs("")) == []
    assert [row["text"] for _, row in paragraphs("</p></head>a <p>b")] == ["a", "b"]
    assert [row["text"] for _, row in paragraphs("</script></head>a<p>b")] == ["a", "b"]
