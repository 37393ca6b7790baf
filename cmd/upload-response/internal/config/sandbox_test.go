package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/server/supervise"
)

func TestAnAppHasTheSandboxThatItsFileSays(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]*supervise.Sandbox{
		"":                 nil,
		", sandbox: true":  {},
		", sandbox: false": nil,
		", sandbox: {}":    {},
		", sandbox: {enabled: false, write: [" + dir + "]}": nil,
		", sandbox: {write: " + dir + ", read: [/usr]}":     {Read: []string{"/usr"}, Write: []string{dir}},
		", sandbox: {write: [data]}":                        {Write: []string{filepath.Join(dir, "data")}},
		", sandbox: {connect: [443, 5432], bind: []}":       {Connect: []uint16{443, 5432}, Bind: []uint16{}},
		", sandbox: {connect: none}":                        {Connect: []uint16{}},
		", sandbox: {connect: 443}":                         {Connect: []uint16{443}},
	} {
		name := filepath.Join(dir, "upload-response.yaml")
		if err := os.WriteFile(name, []byte("apps: {web: {command: sh"+text+"}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Load(name)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := f.Workers(0)[0].Sandbox; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, want %+v", text, got, want)
		}
	}
}

func TestASandboxThatIsRequiredIsRefusedWhereTheKernelHasNone(t *testing.T) {
	_, err := Parse("f", []byte("apps: {web: {command: sh, sandbox: {required: true}}}"))
	if (&supervise.Sandbox{}).NotInForce() == nil {
		if err != nil {
			t.Error(err)
		}
		return
	}
	const want = "app web: the sandbox is required: the kernel has"
	if err == nil || !strings.HasPrefix(err.Error(), "f:1:") || !strings.Contains(err.Error(), want) {
		t.Error(err)
	}
}
