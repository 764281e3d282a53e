(function_item) @local.scope
(block) @local.scope
(repeat) @local.scope
(scan) @local.scope

(parameter name: (identifier) @local.definition.parameter)
(let name: (identifier) @local.definition.var)
(declaration name: (identifier) @local.definition.var)
(repeat counter: (identifier) @local.definition.var)
(scan slice: (identifier) @local.definition.var)
(label name: (identifier) @local.definition.function)
(const_item name: (identifier) @local.definition.constant)
(function_item name: (identifier) @local.definition.function)
(data_item name: (identifier) @local.definition.namespace)

(identifier) @local.reference
