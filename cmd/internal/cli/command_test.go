package cli

import (
	"bytes"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// parsed is what a command of a test took.
type parsed struct {
	file, name string
	verbose    bool
	tags, args []string
	flags      *FlagSet
}

// newTree returns a program with one command, which leaves in the result what it took.
func newTree(env map[string]string) (*cobra.Command, *parsed) {
	var took parsed
	f := &FlagSet{
		Command: "prog do", Args: "[WHAT]", Summary: "does something", Common: []string{"file"},
		Example: "# It\nprog do",
		Groups: []Group{{Heading: "Flags", Options: []Option{
			{Name: "file", Short: "f", Arg: "PATH", Help: "a file", Parse: Text(&took.file)},
			{Name: "full-name", Arg: "NAME", Help: "a name", Default: "nobody", Parse: Text(&took.name),
				Old: []string{"nom"}},
			{Name: "verbose", Help: "say more", Parse: Toggle(&took.verbose)},
			{Name: "tag", Arg: "TAG", Help: "a tag; repeat", Words: []string{"red", "green"}, Split: Words,
				Parse: func(s string) error { took.tags = append(took.tags, s); return nil }},
		}}},
	}
	took.flags = f
	do := NewCommand(f, func(name string) string { return env[name] }, func(args []string) error {
		took.args = args
		return nil
	})
	bare := NewCommand(&FlagSet{Command: "prog bare", Summary: "does nothing", Example: "prog bare"},
		func(string) string { return "" }, func([]string) error { return errors.New("nothing done") })
	root := NewGroup(&FlagSet{Command: "prog", Summary: "a program", Example: "prog do"}, "command", do, bare)
	AddVersion(root, "prog 7")
	return root, &took
}

func run(t *testing.T, env map[string]string, args ...string) (*parsed, string, error) {
	t.Helper()
	root, took := newTree(env)
	var out, failures bytes.Buffer
	err := Execute(root, args, &out, &failures)
	if failures.Len() > 0 {
		t.Errorf("%q printed %q", args, &failures)
	}
	return took, out.String(), err
}

func TestFlagsHaveTwoDashesOrOneAndUnderscoresOrNot(t *testing.T) {
	for _, args := range [][]string{
		{"--file", "a", "--full-name", "n", "--verbose", "--tag=x", "--tag", "-y", "arg"},
		{"-file", "a", "-full-name=n", "-verbose", "-tag=x", "-tag", "-y", "arg"},
		{"-f", "a", "--full_name=n", "--verbose=true", "--tag", "x", "--tag=-y", "arg"},
		{"arg", "-fa", "-full_name", "n", "-verbose=1", "--tag=x", "--tag", "-y"},
		{"-f=a", "--full_name", "n", "--verbose", "--tag=x", "-tag=-y", "--", "arg"},
	} {
		took, _, err := run(t, nil, append([]string{"do"}, args...)...)
		if err != nil || took.file != "a" || took.name != "n" || !took.verbose ||
			!slices.Equal(took.tags, []string{"x", "-y"}) || !slices.Equal(took.args, []string{"arg"}) {
			t.Errorf("%q: %+v, %v", args, took, err)
		}
	}
}

func TestVariablesAreFlagsAndAFlagWins(t *testing.T) {
	env := map[string]string{"UPLOAD_RESPONSE_FILE": "v", "UPLOAD_RESPONSE_TAG": "x, y", "UPLOAD_RESPONSE_NOM": "n"}
	took, _, err := run(t, env, "do", "-f", "a")
	if err != nil || took.file != "a" || took.name != "n" || !slices.Equal(took.tags, []string{"x", "y"}) {
		t.Errorf("%+v, %v", took, err)
	}
	want := []Rename{{"UPLOAD_RESPONSE_NOM", "UPLOAD_RESPONSE_FULL_NAME"}}
	if !slices.Equal(took.flags.Renamed(), want) || !took.flags.Given("file") || took.flags.Given("verbose") {
		t.Errorf("renamed %v", took.flags.Renamed())
	}
	took, _, err = run(t, nil, "do", "--nom", "n")
	if err != nil || took.name != "n" || !slices.Equal(took.flags.Renamed(), []Rename{{"--nom", "--full-name"}}) {
		t.Errorf("%v, %v", took.flags.Renamed(), err)
	}
}

func TestAMistakeSaysWhatWasMeantAndWhichHelpExplainsIt(t *testing.T) {
	for _, test := range []struct{ args, want, help string }{
		{"", "no command: want do or bare", "prog"},
		{"du", `unknown command "du": want do or bare`, "prog"},
		{"baer", `unknown command "baer": did you mean bare?`, "prog"},
		{"do --flie x", "unknown flag --flie: did you mean --file?", "prog do"},
		{"do --full x", "unknown flag --full: did you mean --full-name?", "prog do"},
		{"do --nothing-like-it", "unknown flag --nothing-like-it", "prog do"},
		{"do -x", "unknown flag -x", "prog do"},
		{"do --file", "--file needs a value", "prog do"},
		{"do --verbose=maybe", `--verbose "maybe": want true or false`, "prog do"},
		{"do --nom a --full-name b", "--nom and --full-name set the same thing: give only one of them", "prog do"},
		{"bare --file x", "unknown flag --file", "prog bare"},
		{"bare it", `unexpected argument "it"`, "prog bare"},
		{"help it", `unknown command "it": want do or bare`, "prog"},
	} {
		_, out, err := run(t, nil, strings.Fields(test.args)...)
		var usage *UsageError
		if !errors.As(err, &usage) || usage.Command != test.help || err.Error() != test.want || out != "" {
			t.Errorf("%q: %v, printed %q; want %q", test.args, err, out, test.want)
		}
	}
	if _, _, err := run(t, nil, "bare"); err == nil || errors.As(err, new(*UsageError)) {
		t.Errorf("what a command returns has become %v", err)
	}
}

func TestHelpIsShownWhateverElseIsGiven(t *testing.T) {
	const want = "prog do: does something.\n\n  # It\n  prog do\n\nUsage: prog do [WHAT] [flags]\n"
	for _, args := range []string{"do --help", "do -h", "do -help", "help do", "do --file x --help --nothing"} {
		_, out, err := run(t, nil, strings.Fields(args)...)
		if err != nil || !strings.HasPrefix(out, want) ||
			strings.Contains(out, "--tag") || !strings.Contains(out, "-f, --file PATH  a file") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
	_, out, err := run(t, nil, "do", "--help-all")
	if err != nil || !strings.Contains(out, "--tag TAG") || !strings.Contains(out, "a name (nobody)") ||
		strings.Contains(out, "--nom") {
		t.Errorf("%v, %s", err, out)
	}
	if _, out, err := run(t, nil, "--version"); err != nil || out != "prog 7\n" {
		t.Errorf("%v, %q", err, out)
	}
}

func TestTheShellSuggestsFlagsAndTheirValues(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"__complete|d", "do\tdoes something\n"}, {"__complete|do|--fu", "--full-name\ta name\n"},
		{"__complete|do|--tag|", "red\ngreen\n"}, {"__complete|do|--file|", ":0\n"},
	} {
		root, _ := newTree(nil)
		var out bytes.Buffer
		err := Execute(root, strings.Split(test.args, "|"), &out, new(bytes.Buffer))
		if err != nil || !strings.HasPrefix(out.String(), test.want) {
			t.Errorf("%s: %v, %q", test.args, err, &out)
		}
	}
}

func TestNearestIsTheNameThatWasMeant(t *testing.T) {
	names := []string{"listen", "listen-mode", "memory", "link-memory", "tls-cert", "no"}
	for name, want := range map[string]string{
		"lisen": "listen", "lsiten": "listen", "listne": "listen", "LISTEN": "listen", "listen-": "listen-mode",
		"memry": "memory", "link_memroy": "link-memory", "tls": "tls-cert", "listen-m": "listen-mode",
		"": "", "x": "", "on": "", "foo": "", "body-limit": "",
	} {
		if got := Nearest(name, names); got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func TestEditDistanceCountsLetters(t *testing.T) {
	for pair, want := range map[[2]string]int{
		{"", ""}: 0, {"a", ""}: 1, {"", "abc"}: 3, {"kitten", "sitting"}: 3, {"ab", "ba"}: 1, {"abcd", "acbd"}: 1,
		{"flaw", "lawn"}: 2, {"same", "same"}: 0,
	} {
		if got := editDistance(pair[0], pair[1]); got != want {
			t.Errorf("%s: %d, want %s", pair, got, strconv.Itoa(want))
		}
	}
}
