; Documentation is Markdown, as editors show it.
((doc_comment) @injection.content
  (#set! injection.language "markdown_inline"))
