package csdk_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
)

// hpksVector is one object of proto/testdata/hpks; proto's own tests describe it.
type hpksVector struct {
	Name, Kind, Hex, Error          string
	Consumed                        int
	Canonical                       *bool
	StreamID                        uint64 `json:"stream_id"`
	Version, Status                 int
	Method, Scheme, Authority, Path string
	PathHex                         *string `json:"path_hex"`
	Fields                          []struct {
		Name, Value string
		ValueHex    *string `json:"value_hex"`
	}
}

// want is what tests/vectors.c prints for v, without the encoding.
func (v *hpksVector) want() string {
	if v.Error != "" {
		return "error " + v.Error
	}
	length := len(v.Hex) / 2
	if v.Consumed > 0 {
		length = v.Consumed
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ok %d", length)
	switch v.Kind {
	case "request":
		fmt.Fprintf(&b, " id=%d version=%d method=%x scheme=%x authority=%x path=%s", v.StreamID, v.Version, v.Method,
			v.Scheme, v.Authority, inHex(v.Path, v.PathHex))
	case "response":
		fmt.Fprintf(&b, " id=%d version=%d status=%d", v.StreamID, v.Version, v.Status)
	}
	for _, f := range v.Fields {
		fmt.Fprintf(&b, " %x:%s", f.Name, inHex(f.Value, f.ValueHex))
	}
	return b.String()
}

// inHex is for the keys that a vector has in plain or in hex.
func inHex(plain string, already *string) string {
	if already != nil {
		return *already
	}
	return hex.EncodeToString([]byte(plain))
}

// messageVector is one object of proto/testdata/attach.
type messageVector struct {
	Name, Hex, Type, Error, Key string
	Fields                      map[string]any
	Canonical                   *bool
}

// readVectors reads all vectors of a folder.
func readVectors[V any](t *testing.T, folder string) (all []V) {
	t.Helper()
	files, err := filepath.Glob("../../proto/testdata/" + folder + "/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in %s: %v", folder, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.UseNumber()
		var some []V
		if err := dec.Decode(&some); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, some...)
	}
	return all
}

// decodeInC has the C program decode lines of a kind and hex, and returns its
// answers.
func decodeInC(t *testing.T, lines []string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx,
		cbuild.Program(t, "tests/vectors.c", "-fsanitize=undefined", "-fno-sanitize-recover=all"))
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	var failure bytes.Buffer
	cmd.Stderr = &failure
	out, err := cmd.Output()
	answers := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(answers) != len(lines) {
		t.Fatalf("%d answers to %d lines, %v\n%s", len(answers), len(lines), err, failure.Bytes())
	}
	return answers
}

func TestHPKSVectorsInC(t *testing.T) {
	t.Parallel()
	var vectors []hpksVector
	var lines []string
	for _, v := range readVectors[hpksVector](t, "hpks") {
		if v.Kind == "body" || v.Kind == "end" {
			continue // not in a lane, and not in the SDK
		}
		vectors, lines = append(vectors, v), append(lines, v.Kind+" "+v.Hex)
	}
	for i, answer := range decodeInC(t, lines) {
		v := vectors[i]
		got, encoded, _ := strings.Cut(answer, " encoded=")
		if want := v.want(); got != want {
			t.Errorf("%s %q:\ngot  %s\nwant %s", v.Kind, v.Name, got, want)
		}
		canonical := v.Error == "" && (v.Canonical == nil || *v.Canonical)
		if canonical && !strings.HasSuffix(v.Hex, encoded) {
			t.Errorf("%s %q: the fields are encoded to %s", v.Kind, v.Name, encoded)
		}
	}
}

func TestMessageVectorsInC(t *testing.T) {
	t.Parallel()
	vectors := readVectors[messageVector](t, "attach")
	var lines []string
	for _, v := range vectors {
		lines = append(lines, "message "+v.Hex)
	}
	for i, answer := range decodeInC(t, lines) {
		v := vectors[i]
		if v.Error != "" {
			if answer != "error "+v.Error {
				t.Errorf("%q: got %s, want error %s", v.Name, answer, v.Error)
			}
			continue
		}
		got, encoded, _ := strings.Cut(answer, " encoded=")
		words := strings.Fields(got)
		if len(words) != len(v.Fields)+2 || words[1] != v.Type {
			t.Errorf("%s %q: got %s", v.Type, v.Name, got)
			continue
		}
		for _, word := range words[2:] {
			name, value, _ := strings.Cut(word, "=")
			want := fmt.Sprint(v.Fields[name])
			if s, ok := v.Fields[name].(string); ok {
				want = hex.EncodeToString([]byte(s))
			}
			if value != want {
				t.Errorf("%s %q: %s is %s, want %s", v.Type, v.Name, name, value, want)
			}
		}
		if canonical := v.Canonical == nil || *v.Canonical; (encoded == v.Hex) != canonical {
			t.Errorf("%s %q: encoded to %s, canonical is %v", v.Type, v.Name, encoded, canonical)
		}
	}
}
