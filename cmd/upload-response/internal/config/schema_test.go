package config

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/invopop/jsonschema"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
)

// schemaMaker adds to what the library makes of the types what only our tags say.
type schemaMaker struct {
	t        *testing.T
	comments map[string]string
	defs     jsonschema.Definitions
}

func (m *schemaMaker) schema() *jsonschema.Schema {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true,
		Mapper: textSchema,
		LookupComment: func(t reflect.Type, field string) string {
			if field == "" {
				return m.comments[t.Name()]
			}
			return m.comments[t.Name()+"."+field]
		},
	}
	schema := r.Reflect(&File{})
	schema.Title = "The configuration of upload-response"
	m.defs = schema.Definitions
	m.complete(reflect.TypeFor[File]())
	m.defs["File"].PatternProperties = map[string]*jsonschema.Schema{"^x-": {Description: "Yours, for anchors."}}
	return schema
}

// textSchema returns the schema of a type that is read from a text.
func textSchema(t reflect.Type) *jsonschema.Schema {
	text := func(pattern string) *jsonschema.Schema { return &jsonschema.Schema{Type: "string", Pattern: pattern} }
	number := &jsonschema.Schema{Type: "number", Minimum: "0"}
	const size = `^[0-9]+ ?([KMGTkmgt]?([Ii]?[Bb])?)$`
	switch t {
	case reflect.TypeFor[Duration]():
		return either(text(`^(0|([0-9.]+(ns|us|µs|ms|s|m|h))+|[0-9]+[dwy])$`), &jsonschema.Schema{Const: 0})
	case reflect.TypeFor[Size]():
		return either(text(size), number)
	case reflect.TypeFor[Memory]():
		return either(text(size), text(`^[0-9.]+%$`), number)
	case reflect.TypeFor[Percent](), reflect.TypeFor[Processors]():
		return either(text(`^[0-9.]+%?$`), number)
	case reflect.TypeFor[Rate]():
		return either(text(`^[0-9.]+(/[smh])?$`), number)
	case reflect.TypeFor[Mode]():
		return either(text(`^(0o)?[0-7]{1,4}$`), &jsonschema.Schema{Type: "integer", Minimum: "0"})
	case reflect.TypeFor[QueueWait]():
		return text(`^queue-wait *> *[0-9].*$`)
	case reflect.TypeFor[Port]():
		port := &jsonschema.Schema{Type: "integer", Minimum: "0", Maximum: "65535"}
		return either(port, &jsonschema.Schema{Const: "none"})
	case reflect.TypeFor[Command]():
		return either(&jsonschema.Schema{Type: "array", Items: scalar()}, &jsonschema.Schema{Type: "string"})
	}
	return nil
}

func either(list ...*jsonschema.Schema) *jsonschema.Schema { return &jsonschema.Schema{AnyOf: list} }

// scalar is the schema of a text: numbers and truth values are texts, too.
func scalar() *jsonschema.Schema {
	return either(&jsonschema.Schema{Type: "string"}, &jsonschema.Schema{Type: "number"},
		&jsonschema.Schema{Type: "boolean"})
}

// complete adds defaults, possible values, what is required, and shorter forms.
func (m *schemaMaker) complete(section reflect.Type) {
	def := m.defs[section.Name()]
	for _, f := range fieldsOf(section) {
		property, found := def.Properties.Get(f.name)
		if !found {
			m.t.Errorf("%s.%s has no schema", section, f.name)
			continue
		}
		if f.required {
			def.Required = append(def.Required, f.name)
		}
		below := f.kind
		if kind := below.Kind(); kind == reflect.Map || kind == reflect.Slice {
			below = below.Elem()
		}
		if isSection(below) {
			m.complete(below)
		}
		def.Properties.Set(f.name, m.property(f, property))
	}
}

func (m *schemaMaker) property(f field, p *jsonschema.Schema) *jsonschema.Schema {
	description := p.Description
	p.Description = ""
	list := f.kind.Kind() == reflect.Slice && f.kind != reflect.TypeFor[Command]()
	var values []any
	for _, word := range f.enum {
		values = append(values, defaultValue(f, word))
	}
	switch {
	case list && !isSection(f.kind.Elem()):
		if f.kind.Elem().Kind() == reflect.String {
			p.Items = scalar()
		}
		if values != nil {
			p.Items = &jsonschema.Schema{Enum: values}
		}
		p = either(p, p.Items)
	case f.kind.Kind() == reflect.Map && !isSection(f.kind.Elem()):
		p.AdditionalProperties = scalar()
	case f.kind.Kind() == reflect.Map:
		p.AdditionalProperties = either(p.AdditionalProperties, &jsonschema.Schema{Type: "null"})
	case isSection(f.kind):
		if short, found := shortField(f.kind); found {
			main, _ := m.defs[f.kind.Name()].Properties.Get(short.name)
			p = either(main, p)
		}
	case f.kind.Kind() == reflect.Int:
		p.Minimum = "0"
	}
	if !list && values != nil {
		p.Enum = values
	}
	p.Description = description
	switch {
	case list && f.enum != nil && f.value != "":
		p.Default = words(f.value)
	case f.value != "":
		p.Default = defaultValue(f, f.value)
	}
	return p
}

// defaultValue returns the JSON that a text stands for, as a value of its type.
func defaultValue(f field, text string) any {
	switch f.kind.Kind() {
	case reflect.Int, reflect.Bool:
		var v any
		if json.Unmarshal([]byte(text), &v) == nil {
			return v
		}
	case reflect.Slice:
		if f.enum == nil {
			return []any{text}
		}
	}
	return text
}

func TestTheSchemaIsThatOfTheTypes(t *testing.T) {
	maker := schemaMaker{t: t, comments: comments(t)}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(maker.schema()); err != nil {
		t.Fatal(err)
	}
	hold(t, "schema.json", b.String())
}

func TestEveryKeyHasADescription(t *testing.T) {
	all := comments(t)
	var look func(section reflect.Type)
	look = func(section reflect.Type) {
		if all[section.Name()] == "" {
			t.Errorf("%s has no comment", section)
		}
		for _, f := range fieldsOf(section) {
			if text := all[section.Name()+"."+f.declaredName]; !strings.HasSuffix(text, ".") {
				t.Errorf("the comment of %s.%s is no sentence: %q", section, f.declaredName, text)
			}
			below := f.kind
			if kind := below.Kind(); kind == reflect.Map || kind == reflect.Slice {
				below = below.Elem()
			}
			if isSection(below) {
				look(below)
			}
		}
	}
	look(reflect.TypeFor[File]())
}

// compiled returns the schema, ready to validate.
func compiled(t *testing.T) *validator.Schema {
	t.Helper()
	document, err := validator.UnmarshalJSON(strings.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler()
	if err := c.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validate checks a configuration by the schema.
func validate(t *testing.T, schema *validator.Schema, text string) error {
	t.Helper()
	asJSON, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	document, err := validator.UnmarshalJSON(bytes.NewReader(asJSON))
	if err != nil {
		t.Fatal(err)
	}
	return schema.Validate(document)
}

func TestTheSchemaAcceptsWhatTheServerAccepts(t *testing.T) {
	schema := compiled(t)
	for _, text := range append(everyForm(), shown) {
		good(t, text)
		if err := validate(t, schema, text); err != nil {
			t.Errorf("%s\n%v", text, err)
		}
	}
}

// everyForm returns configurations with the different forms that values can have.
func everyForm() []string {
	return []string{
		"{}", "listen: ':80'", "listen: [':80', 'https://:443']\ntls: {self-signed: true, http3: false}",
		"memory: 25%", "memory: 1048576", "memory: {total: 64MiB, link: 1MiB}", "compress: true", "compress: {min: 5}",
		"apps: {web: {command: sh -c x, processes: 4}}", "apps: {web: {command: [sh, 5], processes: {max: 4}}}",
		"apps: {web: }", "apps: {web: {python: 'a:b', limits: {cpu: 200%, memory: 1GiB}, recycle: {jitter: 0.1}}}",
		"x-mine: &a {processes: 2}\napps: {web: {<<: *a, command: sh, environment: {A: 1, B: true, C: x}}}",
		"routes: [{respond: 204}]", "apps: {a: {command: sh}}\nroutes: [{app: a, retry: 0}]",
		"apps: {a: {command: sh}}\nroutes: [{app: a, retry: {on: [refused], times: 1}}]",
		"routes: [{redirect: /x, match: {path: /a}}, {files: {root: ., expires: 1y}}]",
		"timeouts: {idle: 1m30s, client: 1d, stall: 0}", "limits: {rate: 100/s, body: 0}", "limits: {rate: 5}",
		"attach: {uids: 5, gids: [6, 7]}", "log: {level: debug, access: true}", "listen-mode: 0660",
	}
}

func TestTheSchemaRefusesWhatTheServerRefuses(t *testing.T) {
	schema := compiled(t)
	for _, text := range []string{
		"lisen: x", "apps: {web: {comand: sh}}", "apps: {web: {command: sh, processes: four}}", "timeouts: {idle: 30}",
		"log: {level: infos}", "routes: [{redirect: {status: 301}}]", "routes: [{redirect: {to: /, status: 200}}]",
		"compress: yes", "apps: [web]", "memory: lots", "tls: {certificates: [{cert: a}]}",
		"routes: [{files: {root: ., precompressed: [gzip]}}]",
	} {
		if _, err := Parse("x.yaml", []byte(text)); err == nil {
			t.Errorf("the server accepts %s", text)
		}
		if err := validate(t, schema, text); err == nil {
			t.Errorf("the schema accepts %s", text)
		}
	}
}

const examples = "../../../../examples/config/*.yaml"

func TestTheExamplesPassTheSchema(t *testing.T) {
	names, err := filepath.Glob(examples)
	if err != nil || len(names) < 4 {
		t.Fatal(names, err)
	}
	schema := compiled(t)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(t, schema, string(text)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTheExamplesAreRight(t *testing.T) {
	names, err := filepath.Glob(examples)
	if err != nil || len(names) < 4 {
		t.Fatal(names, err)
	}
	for i := range names {
		if names[i], err = filepath.Abs(names[i]); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	for _, program := range []string{"server", ".venv/bin/python3", "static/index.html"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, program)), 0o700); err != nil {
			t.Fatal(err)
		}
		putFile(t, filepath.Join(dir, program), "")
		if err := os.Chmod(filepath.Join(dir, program), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(filepath.Base(name), text); err != nil {
			t.Error(err)
		}
	}
}
