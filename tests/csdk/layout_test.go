package csdk_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wavey-ai/upload-response/shm"
	"github.com/wavey-ai/upload-response/tests/cbuild"
	"github.com/wavey-ai/upload-response/tests/harness"
	"github.com/wavey-ai/upload-response/tests/layoutpage"
)

const printLayout = "tests/print_layout.c"

// printed returns what a program that prints the layout prints.
func printed(t *testing.T, program string) string {
	t.Helper()
	text, err := cbuild.Output("", nil, program)
	harness.Check(t, err)
	return text
}

// ofGo returns what `upload-response layout` prints.
func ofGo(t *testing.T) string {
	t.Helper()
	text, err := ofProgram()
	harness.Check(t, err)
	return text
}

var ofProgram = sync.OnceValues(func() (string, error) {
	if path := os.Getenv("UPLOAD_RESPONSE"); path != "" { // that is built already
		return cbuild.Output("", nil, path, "layout")
	}
	return cbuild.Output("../..", []string{"CGO_ENABLED=0"}, "go", "run",
		"-buildvcs=false", "./cmd/upload-response", "layout")
})

// ofPage returns the same, made of the tables of docs/layout.md, but for the
// versions and the hash.
func ofPage(t *testing.T) string {
	t.Helper()
	page := layoutpage.Text(t, "../..")
	words := layoutpage.Table(t, page, layoutpage.Words...)
	var b strings.Builder
	for _, s := range layoutpage.Table(t, page, layoutpage.Structs...) {
		fmt.Fprintf(&b, "%-12s %-20s %6s %5s  %-13s %s\n", s[0], "", "", s[1], "", "structure")
		for _, w := range words {
			if w[0] == s[0] {
				fmt.Fprintf(&b, "%-12s %-20s %6s %5s  %-13s %s\n", w[0], w[1], w[2], w[3], w[4], w[5])
			}
		}
	}
	return b.String()
}

// differences returns the lines in which two tables differ.
func differences(got, want string) (list []string) {
	g, w := strings.Split(strings.TrimSpace(got), "\n"), strings.Split(strings.TrimSpace(want), "\n")
	for i := range max(len(g), len(w)) {
		at := append(slices.Clone(g), make([]string, len(w))...)[i]
		other := append(slices.Clone(w), make([]string, len(g))...)[i]
		if at != other {
			list = append(list, fmt.Sprintf("line %d: %q and %q", i+1, at, other))
		}
	}
	return list
}

func TestTheStructsOfTheCSDKAreTheLayout(t *testing.T) {
	t.Parallel()
	c := printed(t, cbuild.Program(t, printLayout))
	for _, d := range differences(c, ofGo(t)) {
		t.Errorf("C and Go differ in %s", d)
	}
	table, versions, _ := strings.Cut(c, "\n\n")
	for _, d := range differences(table, ofPage(t)) {
		t.Errorf("C and docs/layout.md differ in %s", d)
	}
	_, hash, _ := strings.Cut(versions, "hash ")
	want := fmt.Sprintf("For version %d the hash is %s.", shm.LayoutMax, hash)
	if !strings.Contains(layoutpage.Text(t, "../.."), want) {
		t.Errorf("docs/layout.md does not say %q", want)
	}
}

// changed returns the folder of a copy of the header in which texts are replaced,
// each by the one behind it.
func changed(t *testing.T, texts ...string) string {
	t.Helper()
	header, err := os.ReadFile(filepath.Join(sdk, "include/upload_response.h"))
	harness.Check(t, err)
	for i := 0; i < len(texts); i += 2 {
		if strings.Count(string(header), texts[i]) != 1 {
			t.Fatalf("%q is not once in the header", texts[i])
		}
	}
	dir := t.TempDir()
	copied := strings.NewReplacer(texts...).Replace(string(header))
	harness.Check(t, os.WriteFile(filepath.Join(dir, "upload_response.h"), []byte(copied), 0o600))
	return dir
}

// buildWith builds what prints the layout with the header of a folder.
func buildWith(t *testing.T, folder string) (program string, err error) {
	t.Helper()
	program = filepath.Join(folder, "print")
	return program, cbuild.Run("", nil, cbuild.Compiler(t), "-std=gnu11", "-I", folder, "-o", program,
		filepath.Join(sdk, printLayout))
}

// swap exchanges two words of a struct of the header.
func swap(t *testing.T, header, structure, one, other string) string {
	t.Helper()
	before, rest, found := strings.Cut(header, "struct ur_shm_"+structure+" {\n")
	body, after, _ := strings.Cut(rest, "};\n")
	names := regexp.MustCompile(`\b(?:` + one + `|` + other + `)\b`)
	if n := len(names.FindAllString(body, -1)); !found || n != 2 {
		t.Fatalf("%s and %s are %d times in struct %s", one, other, n, structure)
	}
	swapped := names.ReplaceAllStringFunc(body, func(name string) string {
		if name == one {
			return other
		}
		return one
	})
	return before + "struct ur_shm_" + structure + " {\n" + swapped + "};\n" + after
}

// Every two neighbours of one size are tried: they are what nothing else would tell
// apart.
func TestSwappedFieldsOfAStructDoNotCompile(t *testing.T) {
	t.Parallel()
	header, err := os.ReadFile(filepath.Join(sdk, "include/upload_response.h"))
	harness.Check(t, err)
	path, tried := filepath.Join(t.TempDir(), "upload_response.h"), 0
	words := layoutpage.Table(t, layoutpage.Text(t, "../.."), layoutpage.Words...)
	for i := range words[1:] {
		structure, one, size := words[i][0], words[i][1], words[i][3]
		if words[i+1][0] != structure || words[i+1][3] != size {
			continue
		}
		tried++
		other := words[i+1][1]
		harness.Check(t, os.WriteFile(path, []byte(swap(t, string(header), structure, one, other)), 0o600))
		err := cbuild.Run("", nil, cbuild.Compiler(t), "-std=gnu11", "-fsyntax-only", path)
		if err == nil || !strings.Contains(err.Error(), "offsetof") {
			t.Errorf("%s and %s of struct %s: the compiler says %v", one, other, structure, err)
		}
	}
	if tried < 30 {
		t.Errorf("only %d swaps were tried", tried)
	}
}

func TestFieldsThatAreSwappedInTheTableTooDifferFromGoAndThePage(t *testing.T) {
	t.Parallel()
	program, err := buildWith(t, changed(t, "uint64_t inbox_head, notice_head;", "uint64_t notice_head, inbox_head;",
		"WORD(mailbox, inbox_head, 128,", "WORD(mailbox, inbox_head, 136,", "WORD(mailbox, notice_head, 136,",
		"WORD(mailbox, notice_head, 128,"))
	harness.Check(t, err)
	c := printed(t, program)
	if n := len(differences(c, ofGo(t))); n != 3 { // the two words, and the hash
		t.Errorf("%d lines differ from Go's, want 3", n)
	}
	table, _, _ := strings.Cut(c, "\n\n")
	if n := len(differences(table, ofPage(t))); n != 2 {
		t.Errorf("%d lines differ from the page's, want 2", n)
	}
}
