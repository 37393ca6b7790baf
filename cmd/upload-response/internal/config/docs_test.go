package config

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

const (
	page   = "../../../../docs/configuration.md"
	marker = "<!-- What follows is generated: go test ./cmd/upload-response/internal/config -run ThePage -update -->\n"
)

// pageMaker writes the tables of all keys.
type pageMaker struct {
	t        *testing.T
	comments map[string]string
	b        strings.Builder
}

func (m *pageMaker) section(t reflect.Type, key, about string) {
	title := key
	if key == "" {
		title = "The top of the file"
	}
	fmt.Fprintf(&m.b, "\n### %s\n\n", title)
	if about != "" {
		m.b.WriteString(about + "\n\n")
	}
	m.b.WriteString("| key | value | default | flag | |\n|---|---|---|---|---|\n")
	for _, f := range fieldsOf(t) {
		flag := ""
		if f.flag != "" {
			flag = code("--" + f.flag)
		}
		fmt.Fprintf(&m.b, "| %s | %s | %s | %s | %s |\n", code(f.name), valueOf(key, f), code(f.value), flag,
			cell(m.about(t, f)))
	}
	for _, f := range fieldsOf(t) {
		if below, name, ok := sectionOf(f); ok {
			m.section(below, join(key, name), m.about(t, f))
		}
	}
}

// about returns the comment of a key.
func (m *pageMaker) about(t reflect.Type, f field) string {
	text := m.comments[t.Name()+"."+f.declaredName]
	if f.upgrade {
		text += " *"
	}
	return text
}

// sectionOf returns the keys that a key has below it.
func sectionOf(f field) (t reflect.Type, name string, ok bool) {
	t, name = f.kind, f.name
	switch t.Kind() {
	case reflect.Map:
		t, name = t.Elem(), name+".NAME"
	case reflect.Slice:
		t, name = t.Elem(), name+"[]"
	}
	return t, name, isSection(t)
}

func code(text string) string {
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }

// valueOf says what values of a key look like.
func valueOf(key string, f field) string {
	if below, name, ok := sectionOf(f); ok {
		text := fmt.Sprintf("[keys](#%s)", anchor(join(key, name)))
		if short, found := shortField(below); found && below == f.kind {
			text = valueOf("", short) + ", or " + text
		}
		if f.kind.Kind() == reflect.Slice {
			text = "list of " + text
		}
		return text
	}
	if f.enum != nil {
		text := strings.Join(f.enum, ", ")
		if f.kind.Kind() == reflect.Slice {
			text = "list of " + text
		}
		return text
	}
	for t, text := range map[reflect.Type]string{
		reflect.TypeFor[Duration](): "time", reflect.TypeFor[Size](): "size", reflect.TypeFor[Memory](): "size or part",
		reflect.TypeFor[Percent](): "part", reflect.TypeFor[Processors](): "processors",
		reflect.TypeFor[Rate](): "rate",
		reflect.TypeFor[Mode](): "octal", reflect.TypeFor[QueueWait](): "condition", reflect.TypeFor[Path](): "path",
		reflect.TypeFor[Command](): "list, or text",
	} {
		if f.kind == t {
			return text
		}
	}
	switch f.kind.Kind() {
	case reflect.Bool:
		return "true, false"
	case reflect.Int:
		return "number"
	case reflect.Map:
		return "names and texts"
	case reflect.Slice:
		if kind := f.kind.Elem().Kind(); kind == reflect.Uint32 || kind == reflect.Int32 {
			return "list of numbers"
		}
		return "list of texts"
	}
	return "text"
}

// anchor returns the name that a heading has as the target of a link.
func anchor(heading string) string {
	return strings.NewReplacer(".", "", "[]", "", " ", "-").Replace(strings.ToLower(heading))
}

func TestThePageOfTheConfigurationHasAllKeys(t *testing.T) {
	there, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	written, _, found := strings.Cut(string(there), marker)
	if !found {
		t.Fatalf("%s has no line %s", page, marker)
	}
	m := pageMaker{t: t, comments: comments(t)}
	m.b.WriteString(written + marker)
	m.section(reflect.TypeFor[File](), "", "")
	hold(t, page, m.b.String())
}

var yamlBlock = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$")

func TestTheExamplesOfThePagePassTheSchema(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	blocks := yamlBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < 3 {
		t.Fatalf("%d examples", len(blocks))
	}
	schema := compiled(t)
	for _, block := range blocks {
		if err := validate(t, schema, block[1]); err != nil && strings.Contains(block[1], ": ") &&
			!strings.HasPrefix(block[1], "# yaml-language-server") {
			t.Errorf("%s\n%v", block[1], err)
		}
	}
}
