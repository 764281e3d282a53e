// The grammar of colours, on a program with every kind of word.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import test from 'node:test';

const require = createRequire(import.meta.url);
const { loadWASM, OnigScanner, OnigString } = require('vscode-oniguruma');
const { INITIAL, Registry } = require('vscode-textmate');

const PROGRAM = `use "parts.nn"
/// Ten shapes.
const WIDTH = 16 // units
data drawn = digits(train: 100)
layer block(x: f32[N, D], units: int = WIDTH) -> f32[N, units] {
    param weight: f32[D, units] = zeros
    let y = x @ weight
    y |> relu |> repeat 2 { dense(units) }
}
train net on drawn {
    loss = mse
    freeze = ["a\\"b"]
}`;

async function grammar() {
    const wasm = await readFile(require.resolve('vscode-oniguruma/release/onig.wasm'));
    await loadWASM(wasm.buffer);
    const text = await readFile(new URL('../syntaxes/nn.tmLanguage.json', import.meta.url), 'utf8');
    const registry = new Registry({
        onigLib: Promise.resolve({
            createOnigScanner: (patterns) => new OnigScanner(patterns),
            createOnigString: (text) => new OnigString(text),
        }),
        loadGrammar: async () => JSON.parse(text),
    });
    return registry.loadGrammar('source.nn');
}

test('every word has its scope', async () => {
    const loaded = await grammar();
    const scopes = [];
    let stack = INITIAL;
    for (const line of PROGRAM.split('\n')) {
        const { tokens, ruleStack } = loaded.tokenizeLine(line, stack);
        stack = ruleStack;
        for (const { startIndex, endIndex, scopes: of } of tokens) {
            scopes.push([line.slice(startIndex, endIndex).trim(), of.at(-1)]);
        }
    }
    for (const [word, scope] of [
        ['use', 'keyword.control.import.nn'],
        ['/// Ten shapes.', 'comment.line.documentation.nn'],
        ['WIDTH', 'variable.other.constant.nn'],
        ['// units', 'comment.line.double-slash.nn'],
        ['drawn', 'entity.name.namespace.nn'],
        ['digits', 'entity.name.function.nn'],
        ['layer', 'keyword.declaration.nn'],
        ['block', 'entity.name.function.nn'],
        ['x', 'variable.parameter.nn'],
        ['f32', 'storage.type.nn'],
        ['int', 'storage.type.nn'],
        ['weight', 'variable.other.property.nn'],
        ['relu', 'entity.name.function.nn'],
        ['|>', 'keyword.operator.pipe.nn'],
        ['repeat', 'keyword.control.nn'],
        ['2', 'constant.numeric.nn'],
        ['loss', 'variable.other.property.nn'],
        ['\\"', 'constant.character.escape.nn'],
    ]) {
        assert(scopes.some(([text, of]) => text === word && of === scope), `${word} is no ${scope}`);
    }
});
