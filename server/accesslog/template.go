package accesslog

import (
	"errors"
	"fmt"
	"strings"
)

// Templates of formats that everybody knows. The remote user, which the server does not know, is always -.
const (
	Common   = `{client} - - [{time_clf}] "{request}" {status} {sent}`
	Combined = Common + ` "{referer}" "{agent}"`
)

// ErrTemplate is returned for a template that is none.
var ErrTemplate = errors.New("access log template")

// segment is text, followed by a field.
type segment struct {
	text  string
	field field // fields: none follows
}

// parse returns the segments of a template. {{ and }} stand for braces.
func parse(template string) (segments []segment, err error) {
	var text strings.Builder
	named := false
	for rest := template; rest != ""; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			text.WriteString(rest)
			break
		}
		text.WriteString(rest[:at])
		brace, after := rest[at], rest[at+1:]
		if after != "" && after[0] == brace {
			text.WriteByte(brace)
			rest = after[1:]
			continue
		}
		name, next, closed := strings.Cut(after, "}")
		f, known := byName[name]
		switch {
		case brace == '}':
			return nil, fmt.Errorf("%w: a } without a {; }} is a brace", ErrTemplate)
		case !closed:
			return nil, fmt.Errorf("%w: no } after {%s; {{ is a brace", ErrTemplate, name)
		case !known:
			return nil, fmt.Errorf("%w: there is no field {%s}: want one of %s", ErrTemplate, name,
				strings.Join(Fields(), ", "))
		}
		segments = append(segments, segment{text.String(), f})
		text.Reset()
		named, rest = true, next
	}
	switch {
	case !named:
		return nil, fmt.Errorf("%w: it names no field, such as {path}", ErrTemplate)
	case strings.ContainsAny(template, "\r\n"):
		return nil, fmt.Errorf("%w: a request has one line", ErrTemplate)
	}
	return append(segments, segment{text.String(), fields}), nil
}
