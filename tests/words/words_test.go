// Package words_test holds comments, documentation and names to plain English: words that
// a reader of the field knows, and sentences that can be read once.
package words_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// rule is a pattern that is not to occur.
type rule struct {
	pattern *regexp.Regexp
	instead string
	code    bool // look at code, too, and not only at prose
}

// prepositions are those that are never adverbs: "comes in" is a sentence.
const prepositions = `(?:of|for|with|from|to|into|upon|than)`

var rules = []rule{
	{regexp.MustCompile(`(?i)\bfor ever\b`), `"forever", or how long`, false},
	{regexp.MustCompile(`(?i)\b(?:and|or) the like\b`), `name them, or "such as"`, false},
	{regexp.MustCompile(`(?i)\bas (?:long|much|many|often|fast) as (?:it|he|she|they|you|one) likes?\b`),
		`"without a limit", "at any time", "any number of"`, false},
	{regexp.MustCompile(`^(?:Its|Whose|What (?:is|are|was))\b`), "begin with the noun", false},
	{regexp.MustCompile(`^(?:its|whose|what (?:is|are|was)|who)\b`), "begin with the noun", false},
	{regexp.MustCompile(`\b` + prepositions + `[.;:]?$`), "do not end in a preposition", false},
	{regexp.MustCompile(`(?i)\b(?:hoard(?:er|s)?|evictHoarder|hush|plainFate|lingers|messagePump|laneFeed|` +
		`gatheringWriter|heldWrites|pieceWriter|streamWatch|` +
		`ur_doze|ur_news|ur_take|ur_take_apart|ur_answer|ur_reply|ur_replied)\b`),
		"ARCHITECTURE.md has the word for it", true},
}

// skipped are files that are made by programs, kept as they came, or about words.
var skipped = regexp.MustCompile(`^(?:CHANGELOG\.md|docs/http-conformance\.md|docs/benchmarks\.md|` +
	`tests/words/|.*/testdata/|LICENSE|.*\.(?:svg|sum|json|golden|snap)$)`)

// passage is a piece of prose, or a line of code.
type passage struct {
	line int
	text string
	code bool
}

func TestProseIsPlain(t *testing.T) {
	for _, name := range files(t) {
		content, err := os.ReadFile(filepath.Join("..", "..", name))
		if os.IsNotExist(err) {
			continue // removed, and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range passagesOf(name, string(content)) {
			for _, r := range rules {
				if found := r.pattern.FindString(p.text); found != "" && (r.code || !p.code) {
					t.Errorf("%s:%d: %q in %q: %s", name, p.line, found, p.text, r.instead)
				}
			}
		}
	}
}

// files returns the files of the project that hold prose.
func files(t *testing.T) (list []string) {
	t.Helper()
	command := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	command.Dir, command.Stderr = filepath.Join("..", ".."), os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.FieldsSeq(string(out)) {
		if !skipped.MatchString(name) && kindOf(name) != "" {
			list = append(list, name)
		}
	}
	return list
}

// kindOf returns how the comments of a file begin: "//", "#", or "prose" for a page.
func kindOf(name string) string {
	switch base := filepath.Base(name); filepath.Ext(base) {
	case ".go", ".c", ".h", ".mod":
		return "//"
	case ".py", ".sh", ".toml", ".yml", ".yaml":
		return "#"
	case ".md":
		return "prose"
	default:
		if base == "Makefile" {
			return "#"
		}
	}
	return ""
}

var (
	blockComment = regexp.MustCompile(`(?s)/\*.*?\*/`)
	docstring    = regexp.MustCompile(`(?s)""".*?"""`)
	codeSpan     = regexp.MustCompile("`[^`]*`")
)

// passagesOf returns the comments of a file, each as one passage, and the lines of code.
func passagesOf(name, content string) (list []passage) {
	kind := kindOf(name)
	var paragraph passage
	end := func() {
		if text := strings.TrimSpace(paragraph.text); text != "" {
			paragraph.text = text
			list = append(list, paragraph)
		}
		paragraph = passage{}
	}
	fenced := false
	for i, line := range strings.Split(inLines(kind, content), "\n") {
		text := strings.TrimSpace(line)
		switch kind {
		case "prose":
			if strings.HasPrefix(text, "```") {
				fenced = !fenced
				end()
				continue
			}
			if fenced || strings.HasPrefix(text, "|") || strings.HasPrefix(text, "#") || text == "" {
				end()
				continue
			}
			text = codeSpan.ReplaceAllString(text, "X")
		default:
			before, comment, found := cutComment(text, kind)
			if strings.TrimSpace(before) != "" || !found || strings.TrimSpace(comment) == "" {
				end()
			}
			if strings.TrimSpace(before) != "" {
				list = append(list, passage{i + 1, before, true})
			}
			text = strings.TrimSpace(comment)
		}
		if paragraph.line == 0 {
			paragraph.line = i + 1
		}
		paragraph.text += " " + text
	}
	end()
	return list
}

// inLines turns block comments and docstrings into comments of lines.
func inLines(kind, content string) string {
	each := func(pattern *regexp.Regexp, mark string) {
		content = pattern.ReplaceAllStringFunc(content, func(block string) string {
			lines := strings.Split(strings.Trim(block, `/*"`), "\n")
			for i, line := range lines {
				lines[i] = mark + " " + strings.TrimLeft(line, " *")
			}
			return strings.Join(lines, "\n")
		})
	}
	switch kind {
	case "//":
		each(blockComment, "//")
	case "#":
		each(docstring, "#")
	}
	return content
}

// cutComment cuts a line before its comment. What stands in a string is left alone as far
// as a line tells: the mark has to be at the start, or behind a space.
func cutComment(text, mark string) (before, comment string, found bool) {
	if rest, ok := strings.CutPrefix(text, mark); ok {
		return "", rest, true
	}
	at := strings.Index(text, " "+mark+" ")
	if at < 0 || strings.Count(text[:at], `"`)%2 == 1 || strings.Count(text[:at], "`")%2 == 1 {
		return text, "", false
	}
	return text[:at], text[at+len(mark)+1:], true
}

func TestTheRulesFindWhatTheyAreFor(t *testing.T) {
	for text, bad := range map[string]bool{
		"// It waits for ever.\n":              true,
		"// clients and the like\n":            true,
		"// whose client is gone\n":            true,
		"// its name\n":                        true,
		"x := 1 // what is left\n":             true,
		"// the stream that it is of\n":        true,
		"// the link\n// that it came from.\n": true,
		"/* as long as they like */\n":         true,
		"func f() { s := \"// its name\" }\n":  false,
		"// the name of the link\n":            false,
		"// It is forever in use, by name.\n":  false,
		"var hoarder int\n":                    true,
	} {
		found := false
		for _, p := range passagesOf("x.go", text) {
			for _, r := range rules {
				found = found || (r.code || !p.code) && r.pattern.MatchString(p.text)
			}
		}
		if found != bad {
			t.Errorf("%q: found %v, want %v", text, found, bad)
		}
	}
}
