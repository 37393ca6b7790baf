// Package strict reads requests of HTTP/1.1 as RFC 9112 has them, and nothing that it
// leaves to a reader's good will. It shares no code with the server: tests hold what the
// server's workers see against what it reads.
package strict

import (
	"errors"
	"strings"
)

// Request is a request, whole.
type Request struct {
	Method, Target string
	Minor          int // of HTTP/1
	Fields         []Field
	Body           string
	Trailers       []Field
}

// Field is a field line. Its name is in lower case, its value has no white space around
// it.
type Field struct{ Name, Value string }

// Values returns the values of the fields of a name in lower case.
func (r *Request) Values(name string) (values []string) {
	for _, f := range r.Fields {
		if f.Name == name {
			values = append(values, f.Value)
		}
	}
	return values
}

// ErrShort is returned when the text ends in the middle of a request.
var ErrShort = errors.New("the text ends within a request")

// Read reads one request. It returns what is behind it, or why there is none: the text is
// at its end (ErrShort), or is nothing that a strict reader takes.
func Read(text string) (r *Request, rest string, err error) {
	for strings.HasPrefix(text, "\r\n") { // RFC 9112 section 2.2
		text = text[2:]
	}
	line, text, err := cutLine(text)
	if err != nil {
		return nil, "", err
	}
	r = &Request{}
	if err := r.begin(line); err != nil {
		return nil, "", err
	}
	if r.Fields, text, err = readFields(text); err != nil {
		return nil, "", err
	}
	rest, err = r.readBody(text)
	return r, rest, err
}

// cutLine cuts a line off. Only CRLF ends one, and no control but a tab is in it.
func cutLine(text string) (line, rest string, err error) {
	i := strings.IndexFunc(text, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
	switch {
	case i < 0, text[i:] == "\r":
		return "", "", ErrShort
	case !strings.HasPrefix(text[i:], "\r\n"):
		return "", "", errors.New("a control within a line")
	}
	return text[:i], text[i+2:], nil
}

// begin reads the request line (section 3). Bytes beyond ASCII are let through in a target,
// where everybody takes them: they end nothing.
func (r *Request) begin(line string) error {
	parts := strings.Split(line, " ")
	if len(parts) != 3 || !isToken(parts[0]) || parts[1] == "" || strings.ContainsAny(parts[1], "\t ") {
		return errors.New("no request line")
	}
	r.Method, r.Target = parts[0], parts[1]
	minor, known := strings.CutPrefix(parts[2], "HTTP/1.")
	if !known || len(minor) != 1 || minor[0] < '0' || minor[0] > '9' {
		return errors.New("no version that is known")
	}
	r.Minor = min(int(minor[0]-'0'), 1) // a later one is read as the latest that is known, RFC 9110 section 2.5
	return nil
}

func notVisible(c rune) bool { return c <= ' ' || c >= 0x7f }

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return notVisible(c) || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", c)
	})
}

// readFields reads field lines up to the empty one behind them (section 5).
func readFields(text string) (fields []Field, rest string, err error) {
	for {
		line, behind, err := cutLine(text)
		if err != nil || line == "" {
			return fields, behind, err
		}
		name, value, found := strings.Cut(line, ":")
		if !found || !isToken(name) {
			return nil, "", errors.New("no field line") // folded ones, too
		}
		fields, text = append(fields, Field{strings.ToLower(name), strings.Trim(value, " \t")}), behind
	}
}

// readBody knows where the request ends (section 6.3), and whose it is (section 3.2).
func (r *Request) readBody(text string) (rest string, err error) {
	lengths, codings := r.Values("content-length"), r.Values("transfer-encoding")
	switch {
	case r.Minor == 1 && len(r.Values("host")) != 1, len(r.Values("host")) > 1:
		return "", errors.New("not one Host")
	case len(lengths) > 1, len(codings) > 1, len(lengths) > 0 && len(codings) > 0:
		return "", errors.New("more than one length")
	case len(codings) > 0 && (r.Minor == 0 || !strings.EqualFold(codings[0], "chunked")):
		return "", errors.New("a transfer coding that is not chunked")
	case len(codings) > 0:
		return r.readChunks(text)
	case len(lengths) == 0:
		return text, nil
	}
	n, ok := number(lengths[0], "0123456789")
	if !ok {
		return "", errors.New("no length")
	}
	if n > uint64(len(text)) {
		return "", ErrShort
	}
	r.Body = text[:n]
	return text[n:], nil
}

// readChunks reads chunks, and the trailers behind them (section 7.1).
func (r *Request) readChunks(text string) (rest string, err error) {
	for {
		line, behind, err := cutLine(text)
		if err != nil {
			return "", err
		}
		digits, _, _ := strings.Cut(line, ";")
		n, ok := number(strings.TrimRight(digits, " \t"), "0123456789abcdef")
		switch {
		case !ok:
			return "", errors.New("no size of a chunk")
		case n == 0:
			r.Trailers, rest, err = readFields(behind)
			return rest, err
		case n > uint64(len(behind)):
			return "", ErrShort
		}
		r.Body, behind = r.Body+behind[:n], behind[n:]
		if len(behind) < 2 {
			return "", ErrShort
		}
		if behind[:2] != "\r\n" {
			return "", errors.New("no end of a chunk")
		}
		text = behind[2:]
	}
}

// number reads a number of at most 15 digits of those given.
func number(s, digits string) (n uint64, ok bool) {
	for _, c := range strings.ToLower(s) {
		i := strings.IndexRune(digits, c)
		if i < 0 {
			return 0, false
		}
		n = n*uint64(len(digits)) + uint64(i)
	}
	return n, s != "" && len(strings.TrimLeft(s, "0")) <= 15
}
