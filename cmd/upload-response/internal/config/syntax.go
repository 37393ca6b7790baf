package config

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// duplicate is what the parser says of a key that stands twice.
var duplicate = regexp.MustCompile(`^mapping key "(.*)" already defined at \[(\d+):\d+\]$`)

// remedies are parts of what the parser says, and what to do.
var remedies = [][2]string{
	{"found character '\t'", "a tab: YAML takes spaces only, so replace it by some"},
	{"reserved character", "no value begins so: put it in quotes"},
	{"escape character", `in double quotes a backslash is written \\: double it, or use single quotes`},
	{"could not find end character of", "a quote is not closed: add the other one"},
	{"sequence end token ']' not found", "a [ is not closed: add a ]"},
	{"',' or ']' must be", "want a comma or a ] here"},
	{"',' or '}' must be", "want a comma or a } here"},
	{"flow mapping end token", "a { is not closed: add a }"},
	{"corresponding to ']'", "this ] closes nothing: remove it"},
	{"corresponding to '}'", "this } closes nothing: remove it"},
	{"could not find map value", "want a value, or a } that closes a {"},
	{"could not find flow map content", "want a value, or a } that closes a {"},
	{"map key-value is pre-defined", "want a value in one line, or keys that are indented more than the line before"},
	{"value is not allowed in this context", "want a value in one line, or keys that are indented like the others"},
	{"sequence entries are not allowed", "want a list that begins in a line of its own, or in [ ]"},
	{"non-map value", "want KEY: VALUE, with a space after the colon"},
	{"unexpected key name", "want KEY: VALUE, with a space after the colon, indented like the others"},
	{"unexpected map key", "want a key that is indented like the others of its section"},
	{"invalid key for this map", "want a key that is indented like the others of its section"},
	{"implicit line break", "want a key in one line: put one with a line break in quotes"},
	{"key-value delimiter", "want a colon after the key"},
	{"anchor", "want & and a name before the value that it stands for"},
	{"alias", "want * and the name of an anchor"},
	{"directive", "want no line that begins with %: remove it, or put the value in quotes"},
	{"tag", "tags such as !name mean nothing here: remove it, or put the value in quotes"},
	{"invalid number of indent", "want a line that is indented like the others of its text"},
}

// remedy says what to do about what the parser says.
func remedy(message string) string {
	if m := duplicate.FindStringSubmatch(message); m != nil {
		return fmt.Sprintf("the key %s stands in line %s, too: remove one of them", m[1], m[2])
	}
	for _, r := range remedies {
		if strings.Contains(message, r[0]) {
			return r[1]
		}
	}
	return message + ": compare it with the lines around it, or put the value in quotes"
}

// checkText notes what no text in UTF-8 has.
func (f *File) checkText() (ok bool) {
	for _, mark := range []string{"\xff\xfe", "\xfe\xff"} {
		if bytes.HasPrefix(f.text, []byte(mark)) {
			f.add(nil, "this is UTF-16: save the file as UTF-8")
			return false
		}
	}
	line, column := 1, 1
	for rest := f.text; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		at := &token.Token{Position: &token.Position{Line: line, Column: column}}
		switch {
		case r == utf8.RuneError && n == 1:
			f.add(at, "the byte 0x%02x is not UTF-8: save the file as UTF-8, or remove it", rest[0])
			return false
		case r < ' ' && r != '\n' && r != '\r' && r != '\t' || r == 0x7f:
			f.add(at, "the control character %U has no place here: remove it, or write it in double quotes as \\x%02x", r, r)
			return false
		case r == '\n':
			line, column = line+1, 0
		}
		rest, column = rest[n:], column+1
	}
	return true
}
