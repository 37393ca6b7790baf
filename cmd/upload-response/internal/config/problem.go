package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/token"
)

// Problem is something in a file that is wrong.
type Problem struct {
	File         string
	Line, Column int    // from 1; 0: the whole file
	Key          string // such as apps.web.user; empty: it is not about a single one
	Message      string // the mistake, and what to do
	Excerpt      string // the lines around it, with a caret below the place; empty: none
}

// Error returns FILE:LINE:COLUMN and the message, and the excerpt below.
func (p *Problem) Error() string {
	where := p.File
	if p.Line > 0 {
		where = fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
	}
	if p.Excerpt == "" {
		return where + ": " + p.Message
	}
	return where + ": " + p.Message + "\n" + p.Excerpt
}

// Problems is all that is wrong in a file, in the order of the lines.
type Problems []*Problem

// Error returns the problems with a line between them.
func (list Problems) Error() string {
	var texts []string
	for _, p := range list {
		texts = append(texts, p.Error())
	}
	return strings.Join(texts, "\n\n")
}

// err returns the list as an error, or nil if it is empty.
func (list Problems) err() error {
	if len(list) == 0 {
		return nil
	}
	return list
}

// most is how many problems are collected: the first ones tell enough.
const most = 20

// excerptWidth is the longest line of an excerpt.
const excerptWidth = 200

// add notes a problem at a place; nil is the whole file.
func (f *File) add(at *token.Token, format string, values ...any) { f.note("", at, format, values...) }

// note notes a problem with a key at a place.
func (f *File) note(key string, at *token.Token, format string, values ...any) {
	if len(f.problems) >= most {
		return
	}
	p := &Problem{File: f.name, Key: key, Message: fmt.Sprintf(format, values...)}
	if at != nil {
		p.Line, p.Column = at.Position.Line, at.Position.Column
		p.Excerpt = f.excerpt(p.Line, p.Column)
	}
	for _, other := range f.problems { // an alias leads to the same place several times
		if *other == *p {
			return
		}
	}
	f.problems = append(f.problems, p)
}

// excerpt returns a line of the file with those around it, and a caret below a column.
func (f *File) excerpt(line, column int) string {
	lines := strings.Split(strings.TrimRight(strings.ToValidUTF8(string(f.text), "?"), "\n"), "\n")
	var b strings.Builder
	for n := max(line-2, 1); n <= min(line+1, len(lines)); n++ {
		mark := ' '
		if n == line {
			mark = '>'
		}
		text := []rune(strings.TrimRight(strings.ReplaceAll(lines[n-1], "\t", " "), "\r "))
		if len(text) > excerptWidth {
			text = append(text[:excerptWidth], '.', '.', '.')
		}
		fmt.Fprintf(&b, "%c %4d | %s\n", mark, n, string(text))
		if n == line && column <= excerptWidth {
			fmt.Fprintf(&b, "       | %*s\n", column, "^")
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

// addAt notes a problem with the value of a key. If the key does not stand in the file, the
// place is that of the section in which it is missing.
func (f *File) addAt(key, format string, values ...any) {
	if f.followsUnread(key) {
		return
	}
	f.note(key, f.place(key), format, values...)
}

// followsUnread reports whether a mistake at a key may only come from what could not be read: that
// of the same app, route or section, or anything at the top.
func (f *File) followsUnread(key string) bool {
	return slices.ContainsFunc(f.unread, func(p *Problem) bool {
		section := sectionAround(p.Key)
		return section == "" || section == sectionAround(key)
	})
}

// sectionAround returns the app, route or section in which a key is; empty for one at the top.
func sectionAround(key string) string {
	section, rest, inside := strings.Cut(key, ".")
	switch {
	case section == "apps" && inside:
		name, _, inside := strings.Cut(rest, ".")
		if inside {
			return "apps." + name
		}
		return ""
	case inside || strings.Contains(key, "["):
		return section
	}
	return ""
}

// place returns where the value of a key stands, or that of the nearest section around it; nil
// if there is none.
func (f *File) place(key string) *token.Token {
	for key != "" {
		if at := f.places[key]; at != nil {
			return at
		}
		key = key[:max(strings.LastIndexAny(key, ".["), 0)]
	}
	return nil
}

// KeyAsWritten returns a key as it stands in the file: that of its section if the value is in the place of
// the section (memory: 256MiB).
func (f *File) KeyAsWritten(key string) string {
	at, dot := f.places[key], strings.LastIndexByte(key, '.')
	if at != nil && dot > 0 && f.places[key[:dot]] == at {
		return key[:dot]
	}
	return key
}

// nameOf returns how to name a key beside its place in the file; without a place, it is the whole key.
func (f *File) nameOf(key string) string {
	if !f.has(key) {
		return key
	}
	return lastKey(f.KeyAsWritten(key))
}

// has reports whether a key stands in the file.
func (f *File) has(key string) bool { return f.places[key] != nil }
