[
  (block)
  (fields)
  (train_item)
  (parameters)
  (arguments)
  (list)
  (repeat)
] @indent.begin

[
  "}"
  ")"
  "]"
] @indent.branch @indent.end
