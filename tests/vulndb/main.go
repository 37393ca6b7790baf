// Command vulndb makes the database that govulncheck reads of a folder of OSV files, those of
// the module golang.org/x/vulndb: `vulndb FROM TO`. The format is that of
// https://go.dev/doc/security/vuln/database#api. The module has a program for it, which takes
// the SDK of a cloud to build.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// report is what the index has to know of an OSV file.
type report struct {
	ID       string `json:"id"`
	Modified string `json:"modified"`
	Affected []struct {
		Package struct {
			Name string `json:"name"`
		} `json:"package"`
	} `json:"affected"`
}

type vulnerability struct {
	ID       string `json:"id"`
	Modified string `json:"modified"`
}

type module struct {
	Path  string          `json:"path"`
	Vulns []vulnerability `json:"vulns"`
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vulndb FROM TO")
		os.Exit(2)
	}
	if err := build(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "vulndb:", err)
		os.Exit(1)
	}
}

func build(from, to string) error {
	files, err := filepath.Glob(filepath.Join(from, "*.json"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no OSV files in %s", from)
	}
	for _, folder := range []string{"ID", "index"} {
		if err := os.MkdirAll(filepath.Join(to, folder), 0o755); err != nil {
			return err
		}
	}
	var modules []module
	places := map[string]int{} // among the modules, by path
	var last string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var r report
		if err := json.Unmarshal(content, &r); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := os.WriteFile(filepath.Join(to, "ID", filepath.Base(r.ID)+".json"), content, 0o600); err != nil {
			return err
		}
		last = max(last, r.Modified)
		for _, a := range r.Affected {
			at, known := places[a.Package.Name]
			if !known {
				at = len(modules)
				places[a.Package.Name] = at
				modules = append(modules, module{Path: a.Package.Name})
			}
			m, v := &modules[at], vulnerability{r.ID, r.Modified}
			if n := len(m.Vulns); n == 0 || m.Vulns[n-1] != v {
				m.Vulns = append(m.Vulns, v)
			}
		}
	}
	if err := write(filepath.Join(to, "index", "modules.json"), modules); err != nil {
		return err
	}
	return write(filepath.Join(to, "index", "db.json"), map[string]string{"modified": last})
}

func write(name string, value any) error {
	content, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o600)
}
