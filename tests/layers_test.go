// Package tests_test holds the module to its architecture.
package tests_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/wavey-ai/upload-response"

// standard stands for every package of the standard library.
const standard = "the standard library"

// layers says what each package may import, apart from its tests. A package that
// is not here, or in none of the folders, may not exist.
var layers = map[string][]string{
	"proto":            {standard},
	"proto/attach":     {standard, "github.com/vmihailenco/msgpack/v5"},
	"shm":              {standard, "golang.org/x/sys/unix", "github.com/edsrzf/mmap-go"},
	"server":           {standard, module + "/proto", module + "/server"},
	"server/accesslog": {standard},
	"server/internal/accept": {
		standard, "golang.org/x/sys/unix", "github.com/pires/go-proxyproto",
		module + "/server/internal/conn", module + "/server/internal/http1", module + "/server/internal/meter",
	},
	"server/internal/compress": {standard, "github.com/klauspost/compress", module + "/server/internal/header"},
	"server/internal/conn":     {standard, "golang.org/x/sys/unix", "golang.org/x/time/rate"},
	"server/internal/dispatch": {
		standard, "golang.org/x/sys/unix", "golang.org/x/time/rate", module + "/shm", module + "/proto/attach",
		module + "/proto", module + "/server/listen",
		module + "/server/internal/progress", module + "/server/internal/fault",
	},
	"server/internal/errorpage": {standard, module + "/server/internal/header"},
	"server/internal/files":     {standard, module + "/server/internal/compress"},
	"server/internal/fault":     {standard},
	"server/internal/header":    {standard, module + "/proto", module + "/server/internal/fault"},
	"server/internal/http1": {standard, "golang.org/x/sys/unix", module + "/server/internal/conn",
		module + "/server/internal/fault"},
	"server/internal/http2":                 {standard, module + "/server/internal/http2/extendedconnect"},
	"server/internal/http2/extendedconnect": {"os"},
	"server/internal/http3": {standard, "golang.org/x/sys/unix", "github.com/quic-go/quic-go",
		module + "/server/internal/conn", module + "/server/internal/meter"},
	"server/internal/meter":    {standard},
	"server/internal/progress": {standard, "golang.org/x/sys/unix", module + "/shm"},
	"server/internal/protocol": {
		standard, module + "/proto", module + "/server/internal/conn", module + "/server/internal/header",
		module + "/server/internal/http1", module + "/server/internal/http2", module + "/server/internal/http3",
	},
	"server/internal/relay": {
		standard, "github.com/gobwas/ws", "golang.org/x/time/rate", module + "/shm", module + "/proto",
		module + "/server/internal/protocol", module + "/server/internal/websocket",
		module + "/server/internal/dispatch",
		module + "/server/internal/header", module + "/server/internal/compress", module + "/server/internal/conn",
		module + "/server/internal/progress", module + "/server/internal/fault", module + "/server/internal/route",
		module + "/server/internal/meter", module + "/server/internal/traceparent",
		module + "/server/internal/errorpage", module + "/server/internal/files", "golang.org/x/sys/unix",
	},
	"server/internal/route":       {standard, module + "/server/internal/header"},
	"server/internal/traceparent": {standard},
	"server/internal/websocket": {standard, "github.com/gobwas/ws", module + "/server/internal/conn",
		module + "/server/internal/fault", module + "/server/internal/header"},
	"server/listen": {standard, "golang.org/x/sys/unix", "golang.org/x/net/ipv4", module + "/proto/attach"},
	"server/supervise": {standard, "golang.org/x/sys/unix", "github.com/cenkalti/backoff/v5",
		"github.com/fsnotify/fsnotify", "github.com/bmatcuk/doublestar/v4", "github.com/landlock-lsm/go-landlock"},
	"server/metrics": {standard, "github.com/prometheus/client_golang", module + "/server",
		module + "/server/internal/meter"},
	"server/tracing": {standard, "go.opentelemetry.io/otel", "go.opentelemetry.io/proto/otlp", module + "/server",
		module + "/server/internal/traceparent"},
	"server/tlscert": {standard},
	"worker":         {standard, "golang.org/x/sys/unix", module + "/shm", module + "/proto"},
	"cmd/upload-response/internal/develop": {standard, "golang.org/x/sys/unix", "github.com/fsnotify/fsnotify",
		module + "/worker"},
	"cmd/upload-response/internal/doctor": {standard, "golang.org/x/sys/unix", module + "/proto/attach",
		module + "/shm", module + "/server"},
	"cmd/internal/cli": {standard, "github.com/spf13/cobra", "github.com/spf13/pflag"},
	"cmd/upload-response": {
		standard, "golang.org/x/sys/unix", "github.com/caddyserver/certmagic", "github.com/mholt/acmez/v3",
		"go.uber.org/zap", "github.com/spf13/cobra", "github.com/mattn/go-shellwords", "go.opentelemetry.io/otel",
		"github.com/bmatcuk/doublestar/v4", "github.com/coreos/go-systemd/v22",
		module + "/shm", module + "/proto", module + "/server", module + "/worker", module + "/cmd/internal/cli",
		module + "/cmd/upload-response/internal",
	},
	"cmd/upload-response/internal/admin": {
		standard, module + "/server", module + "/server/listen", module + "/server/supervise",
		module + "/cmd/upload-response/internal/config",
	},
	"cmd/upload-response/internal/upgrade": {standard},
	"cmd/upload-response/internal/top": {
		standard, "charm.land/bubbletea/v2", "charm.land/lipgloss/v2", "github.com/charmbracelet/x/ansi",
		module + "/cmd/upload-response/internal/admin",
	},
	"cmd/upload-response/internal/config": {
		standard, "golang.org/x/sys/unix", "github.com/goccy/go-yaml", "github.com/mattn/go-shellwords",
		"github.com/bmatcuk/doublestar/v4",
		module + "/server", module + "/cmd/internal/cli",
	},
	"cmd/upload-response/internal/config/convert": {
		standard, "github.com/tufanbarisyildirim/gonginx", module + "/cmd/upload-response/internal/config",
		module + "/server/accesslog",
	},
	"cmd/upload-response-bench": {
		standard, "golang.org/x/sys/unix", "github.com/spf13/cobra", module + "/bench", module + "/cmd/internal/cli",
		module + "/server",
	},
	"bench":        {standard, "golang.org/x/sys/unix", module + "/bench/report"},
	"bench/report": {standard, "golang.org/x/sys/unix"},
	"bench/usage":  {standard, "golang.org/x/sys/unix"},
	"bench/load":   {standard, "golang.org/x/sys/unix", "github.com/quic-go/quic-go"},
	"bench/role": {
		standard, "golang.org/x/sys/unix", "github.com/quic-go/quic-go",
		module + "/bench/load", module + "/server", module + "/worker",
	},
	"bench/python":   {standard, module + "/bench/role"},
	"bench/peers":    {standard, module + "/bench/load", module + "/bench/python", module + "/bench/role"},
	"bench/ring":     {standard, "golang.org/x/sys/unix", module + "/bench", module + "/shm"},
	"bench/idle":     {standard, module + "/bench"},
	"bench/exchange": {standard, module + "/bench"},
	"examples":       {standard, module + "/proto", module + "/server", module + "/worker"},
	"tests": {
		standard, "golang.org/x/sys/unix", "github.com/quic-go/quic-go", "github.com/gobwas/ws",
		module + "/shm", module + "/proto", module + "/server", module + "/worker", module + "/tests",
	},
	"tests/rawclient": {standard, "golang.org/x/sys/unix", "golang.org/x/net/http2", "github.com/quic-go/quic-go",
		"github.com/quic-go/qpack", module + "/tests/harness"},
	"tests/e2e": {
		standard, "golang.org/x/net/http2", "github.com/quic-go/quic-go", "github.com/gobwas/ws",
		module + "/proto", module + "/server", module + "/worker", module + "/tests",
	},
}

// goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath string
	Imports    []string
	CgoFiles   []string
}

func listPackages(t *testing.T) (list []goPackage) {
	t.Helper()
	command := exec.Command("go", "list", "-json=ImportPath,Imports,CgoFiles", "./...")
	command.Dir, command.Stderr = "..", os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p goPackage
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// The dispatcher knows rows, lanes, links, pools and clients; it must stay free of HTTP.
func TestTheDispatcherKnowsNothingOfHTTP(t *testing.T) {
	command := exec.Command("go", "list", "-deps", module+"/server/internal/dispatch")
	command.Dir, command.Stderr = "..", os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, imported := range strings.Fields(string(out)) {
		if imported == "net/http" || strings.HasPrefix(imported, "net/http/") || imported == "crypto/tls" {
			t.Errorf("it depends on %s", imported)
		}
	}
}

// layerOf returns the layer of a package of ours: its own, or that of the
// nearest folder above it.
func layerOf(importPath string) (allowed []string, found bool) {
	for dir := strings.TrimPrefix(importPath, module+"/"); dir != "."; dir = path.Dir(dir) {
		if allowed, found = layers[dir]; found {
			return allowed, true
		}
	}
	return nil, false
}

// allows reports whether an import is in a layer's list. A package stands for
// those below it, too.
func allows(list []string, imported string) bool {
	if !strings.Contains(imported, ".") { // a domain's dot, as the go command tells them apart
		return slices.Contains(list, standard) || slices.Contains(list, imported)
	}
	return slices.ContainsFunc(list, func(ok string) bool {
		return imported == ok || strings.HasPrefix(imported, ok+"/")
	})
}

func TestEveryPackageImportsOnlyTheLayersBelowIt(t *testing.T) {
	packages := listPackages(t)
	for layer := range layers {
		if !slices.ContainsFunc(packages,
			func(p goPackage) bool { return strings.HasPrefix(p.ImportPath+"/", module+"/"+layer+"/") }) {
			t.Errorf("there is no package in %s: is the table out of date?", layer)
		}
	}
	for _, p := range packages {
		allowed, found := layerOf(p.ImportPath)
		if !found {
			t.Errorf("%s is in no layer", p.ImportPath)
		}
		for _, imported := range p.Imports {
			if found && !allows(allowed, imported) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

func TestTheTableForbidsWhatTheDesignDoes(t *testing.T) {
	for _, pair := range [][2]string{
		{"shm", "proto"}, {"proto", "shm"}, {"proto", "proto/attach"}, {"proto/attach", "proto"},
		{"proto/attach", "shm"}, {"server", "worker"}, {"worker", "server"}, {"shm", "server"}, {"proto", "worker"},
		{"server", "tests/harness"}, {"worker", "tests/harness"}, {"cmd/upload-response", "tests"}, {"shm", "tests"},
		{"proto", "tests"},
		{"server/internal/accept", "server/internal/http2"}, {"server/internal/http1", "server/internal/http2"},
		{"server/internal/http1", "server/internal/accept"},
		{"server/internal/conn", "server/internal/http1"}, {"server/internal/accept", "server/listen"},
		{"examples", "tests"}, {"examples", "shm"}, {"server", "cmd/upload-response"}, {"server", "bench"},
		{"worker", "bench"}, {"shm", "bench"}, {"bench", "tests"},
		{"server/internal/http1", "server/internal/http2"}, {"server/internal/http1", "server/internal/http3"},
		{"server/internal/http2", "server/internal/http1"}, {"server/internal/http2", "server/internal/http3"},
		{"server/internal/http3", "server/internal/http1"}, {"server/internal/http3", "server/internal/http2"},
		{"server/internal/meter", "server/internal/conn"}, {"server/internal/websocket", "shm"},
		{"server/internal/websocket", "server/internal/protocol"},
		{"server/internal/header", "server/internal/conn"}, {"server/internal/compress", "server/internal/conn"},
		{"server/internal/relay", "server/internal/http1"}, {"server/internal/relay", "server/internal/http2"},
		{"server/internal/relay", "server/internal/http3"}, {"server/internal/relay", "server/internal/accept"},
		{"server/internal/relay", "server/listen"}, {"server/internal/dispatch", "server/internal/relay"},
		{"server/supervise", "server/internal/dispatch"}, {"server/supervise", "server/listen"},
		{"server/internal/protocol", "server/internal/relay"}, {"server", "shm"},
		{"bench/report", "bench"}, {"bench/load", "bench"}, {"bench/usage", "bench"}, {"bench/role", "bench/ring"},
		{"bench/role", "bench/exchange"}, {"cmd/upload-response", "bench"}, {"cmd/internal/cli", "server"},
		{"cmd/upload-response/internal/config", "worker"}, {"cmd/upload-response/internal/config", "shm"},
	} {
		if allows(layers[pair[0]], module+"/"+pair[1]) {
			t.Errorf("%s may import %s", pair[0], pair[1])
		}
	}
	for layer, allowed := range layers {
		if strings.HasPrefix(layer, "tests/") { // clients that send frames by hand
			continue
		}
		for _, imported := range []string{"github.com/some/body", "golang.org/x/net/http2"} {
			if allows(allowed, imported) {
				t.Errorf("%s may import %s", layer, imported)
			}
		}
	}
}

func TestThereIsNoCgo(t *testing.T) {
	for _, p := range listPackages(t) {
		if len(p.CgoFiles) > 0 {
			t.Errorf("%s: %s", p.ImportPath, p.CgoFiles)
		}
	}
	eachFile(t, func(name string, file *ast.File) {
		if imports(file, "C") {
			t.Errorf("%s imports C", name)
		}
	})
}

func TestUnsafeIsOnlyInFilesThatSaySo(t *testing.T) {
	found := 0
	eachFile(t, func(name string, file *ast.File) {
		says := strings.HasSuffix(name, "_unsafe.go") || strings.HasSuffix(name, "_unsafe_test.go")
		if imports(file, "unsafe") && !says {
			t.Errorf("%s imports unsafe", name)
		}
		if imports(file, "unsafe") {
			found++
		}
	})
	if found == 0 {
		t.Error("no file imports unsafe: does this test look at the right ones?")
	}
}

// eachFile parses the imports of every Go file of the module, tests and files
// that are not built here included.
func eachFile(t *testing.T, look func(name string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." {
			return skip(err)
		}
		if entry.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err == nil {
			look(name, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// skip passes an error on, or skips a folder.
func skip(err error) error {
	if err != nil {
		return err
	}
	return filepath.SkipDir
}

func imports(file *ast.File, want string) bool {
	return slices.ContainsFunc(file.Imports, func(i *ast.ImportSpec) bool {
		got, err := strconv.Unquote(i.Path.Value)
		return err == nil && got == want
	})
}
