package header

import (
	"strconv"
	"strings"
)

// most is the weight of what has none, in thousandths.
const most = 1000

// Weight returns the weight among the parameters of an element in a list of preferences (RFC
// 9110 section 12.4.2), in thousandths.
func Weight(parameters string) int {
	for parameter := range strings.SplitSeq(parameters, ";") {
		name, value, _ := strings.Cut(parameter, "=")
		if strings.EqualFold(strings.TrimSpace(name), "q") {
			return ParseWeight(value)
		}
	}
	return most
}

// ParseWeight returns the value of a weight in thousandths. An invalid one is 0: nothing says
// then that the element is welcome.
func ParseWeight(value string) int {
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	if err != nil || !(q >= 0 && q <= 1) { // not a NaN
		return 0
	}
	return int(q*most + 0.5)
}
