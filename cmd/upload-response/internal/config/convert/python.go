package convert

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// assignment is NAME = LITERAL of a Python file, or another statement.
type assignment struct {
	line  int
	name  string // empty: another statement
	value any    // string, int, float64, bool, nil, []any or map[string]any
	text  string // the statement
	err   error  // why there is no value
}

// statements returns the statements of a Python file that are not inside a block, as they
// stand: nothing is run.
func statements(text string) (list []assignment) {
	for _, s := range logicalLines(text) {
		a := assignment{line: s.line, text: s.text}
		name, value, found := strings.Cut(s.text, "=")
		if name = strings.TrimSpace(name); found && isName(name) && !strings.HasPrefix(value, "=") {
			a.name = name
			l := literal{text: value}
			if a.value, a.err = l.parse(); a.err == nil && l.skip() != 0 {
				a.err = errors.New("it is computed")
			}
		}
		list = append(list, a)
	}
	return list
}

func isName(text string) bool {
	return text != "" && strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") == "" &&
		(text[0] < '0' || text[0] > '9')
}

type logicalLine struct {
	line int
	text string
}

// logicalLines joins lines in brackets, in strings, and with a backslash at the end, leaves out
// comments, and what is indented.
func logicalLines(text string) (list []logicalLine) {
	s := scanner{text: text, line: 1}
	for s.at < len(s.text) {
		start, line := s.at, s.line
		body := s.logical()
		indented := start < len(s.text) && (text[start] == ' ' || text[start] == '\t')
		if body = strings.TrimSpace(body); body != "" && !indented {
			list = append(list, logicalLine{line, body})
		}
	}
	return list
}

// scanner reads Python.
type scanner struct {
	text     string
	at, line int
}

// logical reads to the end of a logical line, and returns it without comments.
func (s *scanner) logical() string {
	var b strings.Builder
	for depth := 0; s.at < len(s.text); {
		c := s.text[s.at]
		switch {
		case c == '#':
			for s.at < len(s.text) && s.text[s.at] != '\n' {
				s.at++
			}
			continue
		case c == '\'' || c == '"':
			b.WriteString(s.quoted())
			continue
		case c == '\\' && strings.HasPrefix(s.text[s.at+1:], "\n"):
			s.at += 2
			s.line++
			b.WriteByte(' ')
			continue
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		case c == '\n':
			s.line++
			if s.at++; depth <= 0 {
				return b.String()
			}
			b.WriteByte(' ')
			continue
		}
		b.WriteByte(c)
		s.at++
	}
	return b.String()
}

// quoted reads a string, and returns it as it stands.
func (s *scanner) quoted() string {
	quote := s.text[s.at : s.at+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.at:], triple) {
		quote = triple
	}
	start := s.at
	for s.at += len(quote); s.at < len(s.text); s.at++ {
		switch {
		case s.text[s.at] == '\\':
			s.at++
		case strings.HasPrefix(s.text[s.at:], quote):
			s.at += len(quote)
			s.line += strings.Count(s.text[start:s.at], "\n")
			return s.text[start:s.at]
		case s.text[s.at] == '\n' && len(quote) == 1: // not closed
			return s.text[start:s.at]
		}
	}
	s.at = len(s.text)
	return s.text[start:]
}

// literal reads a literal of Python.
type literal struct {
	text  string
	depth int
}

var errNotLiteral = errors.New("it is not written out")

// skip leaves out white space, and returns the next byte, 0 at the end.
func (l *literal) skip() byte {
	l.text = strings.TrimLeft(l.text, " \t\r\n")
	if l.text == "" {
		return 0
	}
	return l.text[0]
}

func (l *literal) parse() (any, error) {
	if l.depth++; l.depth > 20 {
		return nil, errNotLiteral
	}
	defer func() { l.depth-- }()
	c := l.skip()
	switch {
	case c == '[':
		return l.list("]")
	case c == '(':
		return l.list(")")
	case c == '{':
		return l.dict()
	case c == '\'' || c == '"' || isPrefixed(l.text):
		return l.strings()
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		return l.number()
	}
	for word, value := range map[string]any{"True": true, "False": false, "None": nil} {
		if rest, ok := strings.CutPrefix(l.text, word); ok && (rest == "" || !isName("a"+rest[:1])) {
			l.text = rest
			return value, nil
		}
	}
	return nil, errNotLiteral
}

// list reads the elements of a list or tuple. One element in parentheses is itself.
func (l *literal) list(end string) (any, error) {
	l.text = l.text[1:]
	values, comma := []any{}, false
	for l.skip() != end[0] {
		v, err := l.parse()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
		if l.skip() == ',' {
			comma, l.text = true, l.text[1:]
		} else if l.skip() != end[0] {
			return nil, errNotLiteral
		}
	}
	l.text = l.text[1:]
	if end == ")" && len(values) == 1 && !comma {
		return values[0], nil
	}
	return values, nil
}

func (l *literal) dict() (any, error) {
	l.text = l.text[1:]
	values := map[string]any{}
	for l.skip() != '}' {
		key, err := l.parse()
		if err != nil {
			return nil, err
		}
		if l.skip() != ':' {
			return nil, errNotLiteral
		}
		l.text = l.text[1:]
		if values[fmt.Sprint(key)], err = l.parse(); err != nil {
			return nil, err
		}
		if l.skip() == ',' {
			l.text = l.text[1:]
		} else if l.skip() != '}' {
			return nil, errNotLiteral
		}
	}
	l.text = l.text[1:]
	return values, nil
}

// isPrefixed reports whether a text begins with a string that has a prefix, r, u or b.
func isPrefixed(text string) bool {
	return len(text) > 1 && strings.IndexByte("rRuUbB", text[0]) >= 0 && (text[1] == '\'' || text[1] == '"')
}

// strings reads one string, or several beside each other, which are one.
func (l *literal) strings() (any, error) {
	var all strings.Builder
	for {
		raw := false
		if isPrefixed(l.text) {
			raw = l.text[0] == 'r' || l.text[0] == 'R'
			l.text = l.text[1:]
		}
		if c := l.skip(); c != '\'' && c != '"' {
			return all.String(), nil
		}
		s := scanner{text: l.text}
		quoted := s.quoted()
		quote := 1
		if len(quoted) >= 6 && strings.HasPrefix(quoted, strings.Repeat(quoted[:1], 3)) {
			quote = 3
		}
		if len(quoted) < 2*quote || !strings.HasSuffix(quoted, quoted[:quote]) {
			return nil, errNotLiteral
		}
		body := quoted[quote : len(quoted)-quote]
		if !raw {
			var err error
			if body, err = unescape(body); err != nil {
				return nil, err
			}
		}
		all.WriteString(body)
		l.text = l.text[len(quoted):]
		l.skip()
	}
}

// unescape replaces the escapes that strings usually have.
func unescape(text string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		at := strings.IndexByte("nt\\'\"\nr", text[i])
		if at < 0 {
			return "", errNotLiteral
		}
		if replacement := "\n\t\\'\"\x00\r"[at]; replacement != 0 {
			b.WriteByte(replacement)
		}
	}
	return b.String(), nil
}

func (l *literal) number() (any, error) {
	n := len(l.text) - len(strings.TrimLeft(l.text, "+-0123456789._xXabcdefABCDEFoO"))
	text := strings.TrimLeft(l.text[:n], "+")
	l.text = l.text[n:]
	if whole, err := strconv.ParseInt(text, 0, 64); err == nil {
		return int(whole), nil
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, errNotLiteral
	}
	return f, nil
}
