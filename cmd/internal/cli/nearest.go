package cli

import "strings"

// Nearest returns the name of the list that a misspelt one most likely stands for: one that
// begins with it, or that has few other letters. It returns "" if there is none.
func Nearest(name string, list []string) (nearest string) {
	name = strings.ToLower(strings.ReplaceAll(name, "_", "-"))
	for _, candidate := range list {
		longer := strings.HasPrefix(strings.ToLower(candidate), name)
		if longer && len(name) >= 3 && (nearest == "" || len(candidate) < len(nearest)) {
			nearest = candidate
		}
	}
	if nearest != "" {
		return nearest
	}
	least := min(len(name)/3, 3) + 1
	for _, candidate := range list {
		if d := editDistance(name, strings.ToLower(candidate)); d < least && d < len(candidate) {
			nearest, least = candidate, d
		}
	}
	return nearest
}

// editDistance returns how many letters of a have to be added, left out, replaced, or
// exchanged with the next one, to make it b.
func editDistance(a, b string) int {
	var before, last []int // the rows of the two letters of a before the current one
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
