package supervise

import "testing"

func TestUserOfWorkersIsANameOrANumber(t *testing.T) {
	for text, want := range map[string]User{
		"root":        {UID: 0, GID: 0, Name: "root"},
		"0":           {UID: 0, GID: 0, Name: "root"},
		"root:12":     {UID: 0, GID: 12, Name: "root"},
		"70001:70002": {UID: 70001, GID: 70002},
	} {
		got, err := ParseUser(text)
		if err != nil || got.UID != want.UID || got.GID != want.GID || got.Name != want.Name {
			t.Errorf("%s is %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":", "root:", ":1", "70001", "no such user", "root:no such group", "4294967295:1",
		"1:4294967295"} {
		if got, err := ParseUser(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
