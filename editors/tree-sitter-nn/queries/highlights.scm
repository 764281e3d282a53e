; Words of the language

[
  "use"
  "const"
  "data"
  "train"
  "on"
  "over"
  "let"
  "param"
  "state"
  "carry"
  "require"
  "scan"
  "in"
  "as"
  "none"
  "minimize"
  "maximize"
] @keyword

(function_kind) @keyword.function

[
  "if"
  "else"
] @keyword.conditional

"repeat" @keyword.repeat

[
  "and"
  "or"
  "not"
] @keyword.operator

[
  "+"
  "-"
  "*"
  "/"
  "@"
  "^"
  "=="
  "!="
  "<"
  "<="
  ">"
  ">="
  "="
  "<-"
  "->"
  "|>"
  ".."
  "..="
] @operator

[
  "("
  ")"
  "["
  "]"
  "{"
  "}"
] @punctuation.bracket

[
  ","
  ":"
  "."
] @punctuation.delimiter

; Literals

(comment) @comment
(doc_comment) @comment.documentation
(string) @string
(escape) @string.escape
(number) @number
(boolean) @boolean

; Names: what is more special stands further down

(identifier) @variable

((identifier) @type.parameter
  (#match? @type.parameter "^[A-Z]$"))

((identifier) @constant
  (#match? @constant "^[A-Z][A-Z0-9_]+$"))

((identifier) @variable.builtin
  (#eq? @variable.builtin "training"))

(type name: (identifier) @type)
(rest_dimension (identifier) @type.parameter)
(function_item name: (identifier) @function)
(const_item name: (identifier) @constant)
(data_item name: (identifier) @module)
(train_item model: (identifier) @function)
(train_item data: (identifier) @module)
(train_key key: (identifier) @property)
(field name: (identifier) @property)
(field role: (identifier) @keyword)
(part_type name: (identifier) @property)
(entry name: (identifier) @property)
(member name: (identifier) @property)
(declaration name: (identifier) @property)
(parameter name: (identifier) @variable.parameter)
(argument name: (identifier) @variable.parameter)
(call callee: (identifier) @function.call)
(stage callee: (identifier) @function.call)
(label name: (identifier) @label)
(over name: (identifier) @variable)
