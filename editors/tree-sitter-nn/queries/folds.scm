[
  (block)
  (fields)
  (train_item)
  (parameters)
  (arguments)
  (list)
  (repeat)
] @fold
