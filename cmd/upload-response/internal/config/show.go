package config

import (
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

// Show writes every value and where it comes from, as YAML with comments: what is given, and
// if effective the defaults, too. Secrets are hidden.
func (f *File) Show(w io.Writer, flags *cli.FlagSet, effective bool) error {
	s := shower{f, flags, effective}
	e := emitter{keep: s.origin, text: s.text, section: func(key string) bool { return f.has(key) }}
	return write(w, e.lines("", reflect.ValueOf(f).Elem(), 0))
}

// Origin is a value and its source.
type Origin struct {
	Key    string `json:"key"`
	Value  string `json:"value"`  // as YAML
	Origin string `json:"origin"` // default, FILE:LINE, a flag or a variable
}

// Origins returns what Show writes as a list.
func (f *File) Origins(flags *cli.FlagSet, effective bool) (list []Origin) {
	s := shower{f, flags, effective}
	e := emitter{section: func(key string) bool { return f.has(key) }}
	e.keep = func(key string, field field, v reflect.Value) (string, bool) {
		origin, ok := s.origin(key, field, v)
		if ok {
			text, changed := s.text(key, field, v)
			if !changed {
				text = valueText(v)
			}
			list = append(list, Origin{key, text, origin})
		}
		return origin, ok
	}
	e.lines("", reflect.ValueOf(f).Elem(), 0)
	return list
}

type shower struct {
	file      *File
	flags     *cli.FlagSet
	effective bool
}

// origin returns where a value comes from, and whether it is shown.
func (s *shower) origin(key string, f field, v reflect.Value) (string, bool) {
	if f.flag != "" {
		if _, from := s.flags.Source(f.flag); from != "" {
			return from, true
		}
	}
	if place := s.file.Place(key); place != "" {
		return place, true
	}
	if !s.file.applies(key) {
		return "", false
	}
	known := f.value != "" || s.flagDefault(f) != ""
	return "default", s.effective && known && !isSection(v.Type())
}

// applies reports whether the default of a key means something beside what the file says.
func (f *File) applies(key string) bool {
	for name, app := range f.Apps {
		setting, ofApp := strings.CutPrefix(key, "apps."+name+".")
		if !ofApp {
			continue
		}
		section, _, _ := strings.Cut(setting, ".")
		switch scales := app.Processes.Max > 0; {
		case len(app.Command) == 0 && app.Python == "" && slices.Contains(forProcesses, section):
			return false
		case section == "sandbox":
			return app.Sandbox.Enabled && setting != "sandbox.enabled"
		case setting == "interface":
			return app.Python != ""
		case setting == "processes.fixed":
			return !scales
		case section == "processes":
			return scales
		}
	}
	return true
}

// text returns the text of a value that a flag sets, or of a secret.
func (s *shower) text(key string, f field, v reflect.Value) (string, bool) {
	if f.secret && secret(key, v) {
		return "(hidden)", true
	}
	if f.flag != "" {
		values, from := s.flags.Source(f.flag)
		if standard := s.flagDefault(f); from == "" && s.file.places[key] == nil && standard != "" {
			values = []string{standard}
		}
		if len(values) > 0 {
			return flagTexts(values, v), true
		}
	}
	return "", false
}

// flagDefault returns the default of a flag, if that is a value and not a description of one.
func (s *shower) flagDefault(f field) string {
	if o := s.flags.Option(f.flag); o != nil && !strings.Contains(o.Default, " ") {
		return o.Default
	}
	return ""
}

// flagTexts returns the texts of a flag as the value of a key.
func flagTexts(values []string, v reflect.Value) string {
	list := reflect.New(v.Type()).Elem()
	for _, text := range values {
		if setText(list, text) != nil {
			return plainText(strings.Join(values, ", "))
		}
	}
	return valueText(list)
}

var (
	secretName  = regexp.MustCompile(`(?i)(PASS|SECRET|TOKEN|KEY|CREDENTIAL|DSN|AUTH|PRIVATE|SALT|COOKIE|SESSION|SIGN)`)
	secretValue = regexp.MustCompile(`://[^/@\s]*:[^/@\s]*@`)
)

// secret reports whether the value of a key, such as an environment variable, is not for the
// eyes of others: by its name, or because it is an address with a password.
func secret(key string, v reflect.Value) bool {
	return secretName.MatchString(lastKey(key)) || secretValue.MatchString(fmt.Sprint(v.Interface()))
}
