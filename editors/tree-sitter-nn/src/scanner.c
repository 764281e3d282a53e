/**
 * Ends of lines that end a statement, a key, a field or an item.
 *
 * A line goes on where the next word is `|>`, `else`, `as` or a binary operator but `-`, or closes a bracket;
 * everywhere else its end is a token, without bytes of its own. Where no statement can end (behind an
 * operator, a comma, an open bracket) the parser does not ask for one, and a newline is space.
 */

#include "tree_sitter/parser.h"

#include <string.h>

enum TokenType { LINE_END };

void *tree_sitter_nn_external_scanner_create(void) { return NULL; }

void tree_sitter_nn_external_scanner_destroy(void *payload) { (void)payload; }

unsigned tree_sitter_nn_external_scanner_serialize(void *payload, char *buffer) {
    (void)payload;
    (void)buffer;
    return 0;
}

void tree_sitter_nn_external_scanner_deserialize(void *payload, const char *buffer, unsigned length) {
    (void)payload;
    (void)buffer;
    (void)length;
}

/** Whether a character is part of a word. Letters beyond ASCII begin no word that goes on. */
static bool is_word(int32_t c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c > 127;
}

/** Whether the next word is one that a line goes on with. */
static bool word_goes_on(TSLexer *lexer) {
    char word[8];
    unsigned length = 0;
    while (is_word(lexer->lookahead)) {
        if (length + 1 >= sizeof word) return false;
        word[length++] = (char)lexer->lookahead;
        lexer->advance(lexer, false);
    }
    word[length] = 0;
    return !strcmp(word, "else") || !strcmp(word, "as") || !strcmp(word, "or") || !strcmp(word, "and")
        || !strcmp(word, "in");
}

bool tree_sitter_nn_external_scanner_scan(void *payload, TSLexer *lexer, const bool *valid_symbols) {
    (void)payload;
    if (!valid_symbols[LINE_END]) return false;
    bool newline = false;
    lexer->mark_end(lexer);
    lexer->result_symbol = LINE_END;
    for (;;) {
        switch (lexer->lookahead) {
            case '\n':
                newline = true;
                lexer->advance(lexer, true);
                continue;
            case ' ':
            case '\t':
            case '\r':
            case 0xFEFF:
                lexer->advance(lexer, true);
                continue;
            case '/':
                lexer->advance(lexer, false);
                // Division, which goes on, or a comment, which is space.
                if (lexer->lookahead != '/') return false;
                while (lexer->lookahead != '\n' && !lexer->eof(lexer)) lexer->advance(lexer, false);
                continue;
            case '|':
            case '=':
            case '!':
            case '<':
            case '>':
            case '+':
            case '*':
            case '@':
            case '^':
            case ',':
            case ':':
            case '.':
            case ')':
            case ']':
            case '}':
            case 0:
                return false;
            default:
                return newline && !lexer->eof(lexer) && !word_goes_on(lexer);
        }
    }
}
