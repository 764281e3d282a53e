/**
 * The grammar of `.nn` files for editors. `grammar/nn.pest` is the definition of the syntax; a test holds this
 * one against it. Newlines end statements, keys, fields and items, unless the next line goes on: which,
 * `src/scanner.c` tells.
 */

/// <reference types="tree-sitter-cli/dsl" />
// @ts-check

const PREC = {
  range: 1,
  pipe: 2,
  or: 3,
  and: 4,
  not: 5,
  compare: 6,
  add: 7,
  multiply: 8,
  negate: 9,
  power: 10,
  postfix: 11,
};

/** Parts in brackets, a comma behind the last allowed. */
const list = (part) => seq(part, repeat(seq(',', part)), optional(','));

/** Parts on lines of their own. */
const lines = ($, part) => seq(part, repeat(seq($._line_end, part)));

module.exports = grammar({
  name: 'nn',

  externals: ($) => [$._line_end],

  extras: ($) => [/[\s\uFEFF]/, $.comment, $.doc_comment],

  word: ($) => $.identifier,

  supertypes: ($) => [$.expression, $.statement, $.item],

  rules: {
    source_file: ($) => optional(lines($, $.item)),

    item: ($) =>
      choice($.use_item, $.const_item, $.data_item, $.train_item, $.function_item),

    use_item: ($) => seq('use', field('path', $.string)),

    const_item: ($) =>
      seq('const', field('name', $.identifier), '=', field('value', $.expression)),

    data_item: ($) =>
      seq(
        'data',
        field('name', $.identifier),
        '=',
        field('value', $.expression),
        optional(field('fields', $.fields)),
      ),

    fields: ($) => seq('{', optional(lines($, $.field)), '}'),

    field: ($) =>
      seq(
        field('name', $.identifier),
        '=',
        field('value', $.expression),
        optional(seq('as', field('role', $.identifier))),
      ),

    train_item: ($) =>
      seq(
        'train',
        field('model', $.identifier),
        optional(seq('on', field('data', $.identifier))),
        '{',
        optional(lines($, $.train_key)),
        '}',
      ),

    train_key: ($) => seq(field('key', $.identifier), '=', field('value', $.expression)),

    function_item: ($) =>
      seq(
        field('kind', $.function_kind),
        field('name', $.identifier),
        field('parameters', $.parameters),
        optional(seq('->', field('result', choice($.record_type, $.type)))),
        optional(field('goal', choice('minimize', 'maximize'))),
        field('body', $.block),
        optional(field('over', $.over)),
      ),

    function_kind: () =>
      choice('layer', 'model', 'loss', 'metric', 'optimizer', 'schedule', 'initializer'),

    over: ($) => prec.right(seq('over', field('name', $.identifier), optional($.block))),

    parameters: ($) => seq('(', optional(list($.parameter)), ')'),

    parameter: ($) =>
      seq(
        field('name', $._name),
        optional(seq(':', field('type', $.type), optional(seq('or', 'none')))),
        optional(field('domain', $.domain)),
        optional(seq('=', field('default', $.expression))),
      ),

    domain: ($) =>
      choice(
        seq('in', $.expression),
        seq('in', $.expression, '..=', $.expression),
        seq(choice('>=', '>', '<=', '<'), $.expression),
      ),

    type: ($) => prec.right(seq(field('name', $.identifier), optional($.dimensions))),

    dimensions: ($) => seq('[', optional(list($._dimension)), ']'),

    _dimension: ($) => choice($.rest_dimension, $.expression),

    rest_dimension: ($) => seq('..', $.identifier),

    record_type: ($) => seq('(', list($.part_type), ')'),

    part_type: ($) => seq(field('name', $._name), ':', field('type', $.type)),

    // ---- Statements

    block: ($) => seq('{', optional(lines($, $.statement)), '}'),

    statement: ($) => choice($.let, $.declaration, $.require, $.assignment, $.expression),

    let: ($) => seq('let', field('name', $._name), '=', field('value', $.expression)),

    declaration: ($) =>
      seq(
        field('kind', choice('param', 'state', 'carry')),
        field('name', $.identifier),
        optional(seq(':', field('type', $.type))),
        optional(seq('=', field('initializer', $.expression))),
      ),

    require: ($) =>
      seq('require', field('condition', $.expression), optional(seq(',', field('message', $.string)))),

    assignment: ($) => seq(field('name', $._name), '<-', field('value', $.expression)),

    // ---- Expressions

    expression: ($) =>
      choice(
        $._name,
        $.number,
        $.boolean,
        $.string,
        $.list,
        $.record,
        $.parenthesized,
        $.unary,
        $.binary,
        $.range,
        $.pipeline,
        $.call,
        $.index,
        $.member,
        $.if,
        $.scan,
      ),

    // `scan` and `carry` are ordinary names where no scan or declaration begins.
    _name: ($) =>
      choice($.identifier, alias('carry', $.identifier), alias('scan', $.identifier)),

    range: ($) => prec.left(PREC.range, seq($.expression, '..', $.expression)),

    pipeline: ($) =>
      prec.left(PREC.pipe, seq(field('input', $.expression), '|>', field('stage', $._stage))),

    _stage: ($) => choice($.stage, $.repeat),

    stage: ($) =>
      prec.right(
        PREC.postfix,
        seq(field('callee', $._name), optional(field('arguments', $.arguments)), optional($.label)),
      ),

    repeat: ($) =>
      prec.right(
        seq(
          'repeat',
          optional(seq(field('counter', $.identifier), 'in')),
          field('times', $.expression),
          '{',
          $._stage,
          repeat(seq('|>', $._stage)),
          '}',
          optional($.label),
        ),
      ),

    label: ($) => seq('as', field('name', $.identifier)),

    unary: ($) =>
      choice(
        prec(PREC.negate, seq('-', $.expression)),
        prec(PREC.not, seq('not', $.expression)),
      ),

    binary: ($) =>
      choice(
        ...[
          ['or', PREC.or],
          ['and', PREC.and],
          ['==', PREC.compare],
          ['!=', PREC.compare],
          ['<', PREC.compare],
          ['<=', PREC.compare],
          ['>', PREC.compare],
          ['>=', PREC.compare],
          ['+', PREC.add],
          ['-', PREC.add],
          ['*', PREC.multiply],
          ['/', PREC.multiply],
          ['@', PREC.multiply],
        ].map(([operator, precedence]) =>
          prec.left(
            precedence,
            seq(
              field('left', $.expression),
              field('operator', operator),
              field('right', $.expression),
            ),
          ),
        ),
        prec.right(
          PREC.power,
          seq(field('left', $.expression), field('operator', '^'), field('right', $.expression)),
        ),
      ),

    call: ($) =>
      prec(PREC.postfix, seq(field('callee', $._name), field('arguments', $.arguments))),

    arguments: ($) => seq('(', optional(list($.argument)), ')'),

    argument: ($) => seq(optional(seq(field('name', $._name), ':')), field('value', $.expression)),

    index: ($) =>
      prec(PREC.postfix, seq(field('value', $.expression), '[', list($._index_at), ']')),

    _index_at: ($) => choice('..', $.slice, $.expression),

    slice: ($) => choice(seq(':', optional($.expression)), seq($.expression, ':', optional($.expression))),

    member: ($) =>
      prec(PREC.postfix, seq(field('object', $.expression), '.', field('name', $.identifier))),

    if: ($) =>
      prec.right(
        seq(
          'if',
          field('condition', $.expression),
          field('then', $.block),
          optional(seq('else', field('otherwise', choice($.if, $.block)))),
        ),
      ),

    scan: ($) =>
      seq(
        'scan',
        field('slice', $.identifier),
        'in',
        field('over', $.expression),
        repeat(seq(',', $.argument)),
        field('body', $.block),
      ),

    list: ($) => seq('[', optional(list($.expression)), ']'),

    record: ($) => seq('(', list($.entry), ')'),

    entry: ($) => seq(field('name', $._name), ':', field('value', $.expression)),

    parenthesized: ($) => seq('(', $.expression, ')'),

    boolean: () => choice('true', 'false'),

    number: () => token(/[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9][0-9_]*)?/),

    string: ($) =>
      seq(
        '"',
        repeat(choice(token.immediate(prec(1, /[^"\\\n]+/)), $.escape)),
        token.immediate('"'),
      ),

    escape: () => token.immediate(/\\(["\\ntr0]|u\{[0-9a-fA-F]{1,6}\})/),

    identifier: () => /[_\p{XID_Start}]\p{XID_Continue}*/,

    doc_comment: () => token(prec(1, /\/\/\/[^\n]*/)),

    comment: () => token(/\/\/[^\n]*/),
  },
});
