package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// files returns the names of the files of the repository that match, from its root.
func files(t *testing.T, match func(name string) bool) (names []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && isForeign(name):
			return filepath.SkipDir
		case !entry.IsDir() && match(name):
			names = append(names, name)
		}
		return nil
	})
	harness.Check(t, err)
	return names
}

// isForeign reports whether a folder holds what was built, or what tools keep for themselves.
func isForeign(folder string) bool {
	base := filepath.Base(folder)
	return base == "build" || strings.HasPrefix(base, ".") && folder != "." && folder != ".github"
}

func isPage(name string) bool { return strings.HasSuffix(name, ".md") }

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	harness.Check(t, err)
	return string(text)
}

var (
	fence    = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	codeSpan = regexp.MustCompile("`[^`\n]*`")
	link     = regexp.MustCompile(`\[[^\]]*\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#+ +(.*?)\s*$`)
	outside  = regexp.MustCompile(`^[a-z]+:`) // https, mailto
)

// linksOf returns the targets of the links of a page.
func linksOf(text string) (targets []string) {
	text = codeSpan.ReplaceAllString(fence.ReplaceAllString(text, ""), "")
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		targets = append(targets, match[1])
	}
	return targets
}

var (
	linkText = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	dropped  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchorsOf returns the anchors that GitHub gives the headings of a page.
func anchorsOf(text string) (anchors []string) {
	uses := map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		title := linkText.ReplaceAllString(match[1], "$1")
		slug := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(title), ""), " ", "-")
		if n := uses[slug]; n > 0 {
			anchors = append(anchors, fmt.Sprintf("%s-%d", slug, n))
		} else {
			anchors = append(anchors, slug)
		}
		uses[slug]++
	}
	return anchors
}

// checkLink returns what is wrong with a link of a page, or "".
func checkLink(t *testing.T, page, target string) string {
	t.Helper()
	if outside.MatchString(target) {
		return ""
	}
	path, anchor, _ := strings.Cut(target, "#")
	name := page
	if path != "" {
		name = filepath.Join(filepath.Dir(page), path)
	}
	if _, err := os.Stat(filepath.Join(root, name)); err != nil || strings.HasPrefix(name, "..") {
		return "there is no such file"
	}
	if anchor != "" && (!isPage(name) || !slices.Contains(anchorsOf(read(t, name)), anchor)) {
		return "there is no such heading"
	}
	return ""
}

func TestEachLinkBetweenPagesLeadsSomewhere(t *testing.T) {
	found := 0
	for _, page := range files(t, isPage) {
		for _, target := range linksOf(read(t, page)) {
			found++
			if wrong := checkLink(t, page, target); wrong != "" {
				t.Errorf("%s: %s: %s", page, target, wrong)
			}
		}
	}
	if found < 100 {
		t.Errorf("found %d links: does this test look at the pages?", found)
	}
}

func TestTheLinkCheckFindsWhatIsWrong(t *testing.T) {
	for target, good := range map[string]bool{
		"LICENSE": true, "docs": true, "#quick-start": true, "docs/protocol.md#hpks-frames": true,
		"https://example.org/#x": true, "LICENCE": false, "#quick_start": false,
		"docs/protocol.md#frames": false, "LICENSE#mit": false, "../main": false,
	} {
		if wrong := checkLink(t, "README.md", target); (wrong == "") != good {
			t.Errorf("%s: %q", target, wrong)
		}
	}
	text := "# A `b`, [c](d.md)\n```sh\n# no heading\n[no](link)\n```\n## A b c\n`[no](link)` [`x`](y)"
	if got := anchorsOf(text); !slices.Equal(got, []string{"a-b-c", "a-b-c-1"}) {
		t.Errorf("anchors %q", got)
	}
	if got := linksOf(text); !slices.Equal(got, []string{"d.md", "y"}) {
		t.Errorf("links %q", got)
	}
}

// path is a code span that names a file or a folder.
var path = regexp.MustCompile("`((?:[\\w.-]+/)+[\\w.-]*|[\\w-]+\\.(?:go|h|c|py|md))`")

// notPaths are code spans that look like paths.
var notPaths = []string{"net/http", "web/0"}

func TestTheFilesThatTheArchitectureNamesAreThere(t *testing.T) {
	names := map[string]bool{}
	for _, name := range files(t, func(string) bool { return true }) {
		names[filepath.Base(name)] = true
		for ; name != "."; name = filepath.Dir(name) {
			names[name] = true
		}
	}
	found := 0
	for _, match := range path.FindAllStringSubmatch(read(t, "ARCHITECTURE.md"), -1) {
		name := strings.TrimSuffix(match[1], "/")
		if slices.Contains(notPaths, name) {
			continue
		}
		found++
		if !names[name] {
			t.Errorf("ARCHITECTURE.md names %s, which is not there", name)
		}
	}
	if found < 80 {
		t.Errorf("found %d files: does this test look at the page?", found)
	}
}
