package hostile_test

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/wavey-ai/upload-response/tests/harness"
)

// conformancePath is the page that says where we differ from others.
const conformancePath = "../../docs/http-conformance.md"

// conformancePage is the page while it is put together.
type conformancePage struct {
	rows  []row
	names []string // of the others, with their versions
	found [][]account
}

func (p *conformancePage) add(name, version string, found []account) {
	p.names = append(p.names, name+" "+version)
	p.found = append(p.found, found)
}

// differs reports whether any of the others sees a row differently. What counts is
// whether it is served, and whether the connection is kept.
func (p *conformancePage) differs(i int) bool {
	for _, found := range p.found {
		if found[i].outcome().fate != p.rows[i].want.fate {
			return true
		}
	}
	return false
}

// check fails the test if a difference is not explained, or what is explained is none.
func (p *conformancePage) check(t *testing.T, i int) {
	t.Helper()
	r := &p.rows[i]
	switch differs := p.differs(i); {
	case differs && r.why == "":
		t.Errorf("%s: %v here, and nobody says why:", r.name, r.want)
		for j, found := range p.found {
			t.Errorf("  %s: %v", p.names[j], &found[i])
		}
	case !differs && r.why != "":
		t.Errorf("%s: it is explained why others differ, and they do not", r.name)
	}
}

// text returns the page: a section for each reason.
func (p *conformancePage) text() []byte {
	var b bytes.Buffer
	var reasons []string
	tables := map[string]string{}
	for i, r := range p.rows {
		if r.why == "" {
			continue
		}
		if tables[r.why] == "" {
			reasons = append(reasons, r.why)
			tables[r.why] = fmt.Sprintf("| request | here | %s |\n|---|---%s|\n", strings.Join(p.names, " | "),
				strings.Repeat("|---", len(p.names)))
		}
		cells := []string{r.name, r.want.String()}
		for _, found := range p.found {
			cells = append(cells, found[i].brief())
		}
		tables[r.why] += tableRow(cells)
	}
	fmt.Fprintf(&b, conformanceHead, len(p.rows), strings.Join(p.names, " and "))
	for _, why := range reasons {
		fmt.Fprintf(&b, "\n%s\n\n%s", why, tables[why])
	}
	return b.Bytes()
}

func tableRow(cells []string) string { return "| " + strings.Join(cells, " | ") + " |\n" }

// brief returns what came of a row in a few words.
func (a *account) brief() string {
	switch o := a.outcome(); {
	case o.fate != fateStrange:
		return o.String()
	case a.smuggled > 0:
		return "served, and what is behind it"
	case len(a.first) > 0 && len(a.Answers) == 0:
		return "served, without a head"
	default:
		return "served, answers " + fmt.Sprint(a.statuses())
	}
}

const conformanceHead = `# HTTP/1.1, beside nginx and HAProxy

<!-- Written by "make test-peers" from the rows of tests/hostile. -->

The %d requests of tests/hostile are malformed, ambiguous, meant badly, or in order
and rare. All of them are sent to %s as well, as Debian
ships them, with their defaults and a plain server behind them. Below is every one of
which something else becomes there than here, and why we leave it so; of all others the
same becomes.

"Refused" says that no worker sees it as a whole, and "answered" that the server does
by itself, with the status of the answer. "Closed" and "kept" say what becomes of the
connection: whether the request behind it is served.
`

// The page itself is written elsewhere; this sees that it is of these rows.
func TestThePageHasEveryRowThatIsExplained(t *testing.T) {
	page, err := os.ReadFile(conformancePath)
	harness.Check(t, err)
	listed := bytes.Count(page, []byte("\n| ")) - bytes.Count(page, []byte("\n| request |"))
	for _, r := range rows() {
		if r.why == "" {
			continue
		}
		listed--
		if start := tableRow([]string{r.name, r.want.String()}); !bytes.Contains(page,
			[]byte("\n"+strings.TrimSuffix(start, "|\n"))) || !bytes.Contains(page, []byte(r.why)) {
			t.Errorf("%q is missing (make test-peers)", r.name)
		}
	}
	if listed != 0 {
		t.Errorf("%d rows too many (make test-peers)", listed)
	}
}
