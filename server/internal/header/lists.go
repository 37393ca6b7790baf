package header

import "strings"

// HasElement reports whether a list in one or several fields has an element, in any case.
func HasElement(fields []string, element string) bool {
	for _, field := range fields {
		for each := range strings.SplitSeq(field, ",") {
			if strings.EqualFold(strings.TrimSpace(each), element) {
				return true
			}
		}
	}
	return false
}

// Elements returns the elements of a list in one or several fields (RFC 9110 section
// 5.6.1).
func Elements(fields []string) (list []string) {
	for _, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			if element = strings.TrimSpace(element); element != "" {
				list = append(list, element)
			}
		}
	}
	return list
}
