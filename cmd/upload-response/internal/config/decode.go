package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"github.com/wavey-ai/upload-response/cmd/internal/cli"
)

const (
	mostValues = 20000 // with those that aliases repeat
	mostDepth  = 32
)

// decoder reads the values of a file into its types.
type decoder struct {
	file    *File
	anchors map[string]ast.Node
	values  int // read so far
	depth   int
}

// decode reads a node into v, which is settable and holds the default. Where the value stands
// is noted under the key.
func (d *decoder) decode(key string, node ast.Node, v reflect.Value) {
	node = d.resolve(node)
	if node == nil {
		return
	}
	if d.depth++; d.depth > mostDepth {
		d.file.add(node.GetToken(), "more than %d values inside each other", mostDepth)
		d.values = mostValues
	}
	defer func() { d.depth-- }()
	if key != "" {
		d.file.places[key] = tokenOf(node)
	}
	switch t := v.Type(); {
	case isText(t):
		d.text(key, node, v)
	case t == reflect.TypeFor[Command]():
		d.command(key, node, v)
	case t.Kind() == reflect.Struct:
		d.section(key, node, v)
	case t.Kind() == reflect.Map:
		d.mapping(key, node, v)
	case t.Kind() == reflect.Slice:
		d.list(key, node, v)
	default:
		d.scalar(key, node, v)
	}
}

// resolve follows anchors and aliases, and counts the values. It returns nil when there is
// nothing to read.
func (d *decoder) resolve(node ast.Node) ast.Node {
	for {
		if d.values++; d.values > mostValues {
			if d.values == mostValues+1 {
				d.file.add(node.GetToken(), "more than %d values, with those that aliases repeat", mostValues)
			}
			return nil
		}
		switch n := node.(type) {
		case *ast.AnchorNode:
			d.anchors[n.Name.GetToken().Value] = n.Value
			node = n.Value
		case *ast.AliasNode:
			name := n.Value.GetToken().Value
			target, found := d.anchors[name]
			if !found {
				d.file.add(n.GetToken(), "no anchor &%s stands before this alias", name)
				return nil
			}
			node = target
		case *ast.TagNode:
			d.file.add(n.GetToken(), "tags such as %s mean nothing here: remove it", n.GetToken().Value)
			return nil
		case nil:
			return nil
		default:
			return node
		}
	}
}

// tokenOf returns where a value begins.
func tokenOf(node ast.Node) *token.Token {
	if m, ok := node.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		return m.Values[0].Key.GetToken()
	}
	return node.GetToken()
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

// isText reports whether values of a type are read from a text.
func isText(t reflect.Type) bool { return reflect.PointerTo(t).Implements(textType) }

func (d *decoder) text(key string, node ast.Node, v reflect.Value) {
	text, ok := scalarText(node)
	if !ok {
		d.unexpected(key, node, v.Type())
		return
	}
	if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(text)); err != nil {
		d.file.note(key, node.GetToken(), "%s: %v", d.file.nameOf(key), err)
	}
}

// lastKey returns the name of a key without those of the sections around it.
func lastKey(key string) string {
	if dot := strings.LastIndexByte(key, '.'); dot >= 0 {
		return key[dot+1:]
	}
	return key
}

// scalarText returns the text of a single value as it stands in the file.
func scalarText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

func (d *decoder) scalar(key string, node ast.Node, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		if text, ok := scalarText(node); ok {
			v.SetString(text)
			return
		}
	case reflect.Bool:
		if b, ok := node.(*ast.BoolNode); ok {
			v.SetBool(b.Value)
			return
		}
	case reflect.Int:
		if n, ok := wholeNumber(node); ok && n <= math.MaxInt32 {
			v.SetInt(int64(n))
			return
		}
	case reflect.Uint32:
		if n, ok := wholeNumber(node); ok && n <= math.MaxUint32 {
			v.SetUint(n)
			return
		}
	default:
		panic("config: no way to read a " + v.Type().String())
	}
	d.unexpected(key, node, v.Type())
}

// wholeNumber returns the number that a node is, if it is one, and not negative.
func wholeNumber(node ast.Node) (uint64, bool) {
	integer, ok := node.(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	switch n := integer.Value.(type) {
	case uint64:
		return n, true
	case int64:
		return uint64(n), n >= 0
	}
	return 0, false
}

// unexpected notes that a value is of the wrong type.
func (d *decoder) unexpected(key string, node ast.Node, want reflect.Type) {
	d.file.note(key, node.GetToken(), "want %s, not %s", describe(want), describeNode(node))
}

// describe says what values of a type look like.
func describe(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Command]():
		return "a program and its arguments, such as [./server, --fast]"
	case isText(t):
		return "a single value"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "a whole number"
	case reflect.Uint32:
		return "the number of a user or group"
	case reflect.Slice:
		return "a list"
	case reflect.Struct, reflect.Map:
		return "keys and values"
	}
	return "a text"
}

func describeNode(node ast.Node) string {
	switch n := node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys and values"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.StringNode:
		if n.Token.Type == token.DoubleQuoteType || n.Token.Type == token.SingleQuoteType {
			return fmt.Sprintf("the text %q", n.Value)
		}
	}
	text, _ := scalarText(node)
	return strconv.Quote(text)
}

// list reads a sequence. A single value in place of it is a list of one, unless it has keys.
func (d *decoder) list(key string, node ast.Node, v reflect.Value) {
	v.SetZero()
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		if _, null := node.(*ast.NullNode); null {
			return
		}
		if _, single := scalarText(node); !single || isSection(v.Type().Elem()) {
			d.unexpected(key, node, v.Type())
			return
		}
		d.element(indexed(key, 0), node, v)
		return
	}
	for i, entry := range sequence.Values {
		d.element(indexed(key, i), entry, v)
	}
}

func indexed(key string, i int) string { return key + "[" + strconv.Itoa(i) + "]" }

func (d *decoder) element(key string, node ast.Node, list reflect.Value) {
	element := reflect.New(list.Type().Elem()).Elem()
	setDefaults(element)
	d.decode(key, node, element)
	list.Set(reflect.Append(list, element))
}

// mapping reads a section whose keys are names that the user chooses.
func (d *decoder) mapping(key string, node ast.Node, v reflect.Value) {
	entries, ok := d.entries(node)
	if !ok {
		d.unexpected(key, node, v.Type())
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, entry := range entries {
		name, _ := scalarText(entry.Key)
		if name == "" {
			d.file.note(key, entry.Key.GetToken(), "want a name")
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		setDefaults(value)
		below := key + "." + name
		d.decode(below, entry.Value, value)
		d.file.placeOfEmpty(below, entry)
		v.SetMapIndex(reflect.ValueOf(name), value)
	}
}

// placeOfEmpty has an empty value stand where its key does.
func (f *File) placeOfEmpty(key string, entry *ast.MappingValueNode) {
	if _, null := entry.Value.(*ast.NullNode); null {
		f.places[key] = entry.Key.GetToken()
	}
}

// section reads a section whose keys are the fields of a struct.
func (d *decoder) section(key string, node ast.Node, v reflect.Value) {
	entries, ok := d.entries(node)
	if !ok {
		if short, found := shortField(v.Type()); found && describeNode(node) != "nothing" {
			d.decode(join(key, short.name), node, v.Field(short.index))
			d.checkEnum(join(key, short.name), short, v.Field(short.index))
			return
		}
		d.unexpected(key, node, v.Type())
		return
	}
	fields := fieldsOf(v.Type())
	for _, entry := range entries {
		name, _ := scalarText(entry.Key)
		at := slices.IndexFunc(fields, func(f field) bool { return f.name == name })
		if at < 0 {
			if key != "" || !strings.HasPrefix(name, "x-") { // x-NAME is the user's, for anchors
				d.file.note(join(key, name), entry.Key.GetToken(), "unknown key %s%s", name,
					suggestion(v.Type(), name))
			} else {
				d.keepAnchors(entry.Value)
			}
			continue
		}
		below := join(key, name)
		d.decode(below, entry.Value, v.Field(fields[at].index))
		d.file.placeOfEmpty(below, entry)
		d.checkEnum(below, fields[at], v.Field(fields[at].index))
	}
	d.checkRequired(key, node, fields)
}

func join(key, name string) string {
	if key == "" {
		return name
	}
	return key + "." + name
}

// keepAnchors notes the anchors in a value that is not read.
func (d *decoder) keepAnchors(node ast.Node) {
	ast.Walk(anchorVisitor{d}, node)
}

type anchorVisitor struct{ d *decoder }

// Visit notes an anchor.
func (a anchorVisitor) Visit(node ast.Node) ast.Visitor {
	if anchor, ok := node.(*ast.AnchorNode); ok {
		a.d.anchors[anchor.Name.GetToken().Value] = anchor.Value
	}
	return a
}

// checkEnum refuses a value that is none of those that are possible.
func (d *decoder) checkEnum(key string, f field, v reflect.Value) {
	if f.enum == nil {
		return
	}
	for i, text := range texts(v) {
		if slices.Contains(f.enum, text) {
			continue
		}
		at := key
		if v.Kind() == reflect.Slice {
			at = indexed(key, i)
		}
		message := "want " + cli.OneOf(f.enum)
		if len(f.enum) == 1 {
			message = "want " + f.enum[0]
		} else if near := cli.Nearest(text, f.enum); near != "" {
			message += ": did you mean " + near + "?"
		}
		d.file.addAt(at, "%s: %s", f.name, message)
	}
}

func (d *decoder) checkRequired(key string, node ast.Node, fields []field) {
	for _, f := range fields {
		if f.required && !d.file.has(join(key, f.name)) {
			d.file.note(join(key, f.name), tokenOf(node), "the key %s is missing", f.name)
		}
	}
}

// entries returns the keys and values of a mapping: its own, and then those that it merges
// with << and does not have itself. Nothing at all is a mapping without keys.
func (d *decoder) entries(node ast.Node) (list []*ast.MappingValueNode, ok bool) {
	own, ok := ownEntries(node)
	if !ok {
		return nil, false
	}
	seen := map[string]bool{}
	var merged []ast.Node
	for _, entry := range own {
		if _, merge := entry.Key.(*ast.MergeKeyNode); merge {
			merged = append(merged, d.mergeSources(entry.Value)...)
			continue
		}
		name, _ := scalarText(entry.Key)
		seen[name] = true
		list = append(list, entry)
	}
	for _, source := range merged {
		for _, entry := range d.mergedEntries(source) {
			if name, _ := scalarText(entry.Key); !seen[name] {
				seen[name] = true
				list = append(list, entry)
			}
		}
	}
	return list, true
}

// mergedEntries returns the entries of what is merged into a mapping.
func (d *decoder) mergedEntries(source ast.Node) []*ast.MappingValueNode {
	if source = d.resolve(source); source == nil {
		return nil
	}
	d.depth++
	defer func() { d.depth-- }()
	if d.depth > mostDepth {
		d.file.add(source.GetToken(), "more than %d mappings that merge each other", mostDepth)
		return nil
	}
	entries, ok := d.entries(source)
	if !ok {
		d.file.add(source.GetToken(), "<< merges keys and values, not %s", describeNode(source))
	}
	return entries
}

// mergeSources returns what << names: one mapping, or several in a list.
func (d *decoder) mergeSources(node ast.Node) []ast.Node {
	if sequence, ok := node.(*ast.SequenceNode); ok {
		return sequence.Values
	}
	return []ast.Node{node}
}

func ownEntries(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	case *ast.NullNode:
		return nil, true
	}
	return nil, false
}
