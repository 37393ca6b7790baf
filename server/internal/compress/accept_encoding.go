package compress

import (
	"slices"
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// codings are the content codings that the server can make (RFC 9110 section 8.4.1), the
// best first.
var codings = []string{"zstd", "gzip"}

// identity is the coding of a body that is not compressed.
const identity = "identity"

// chooseCoding returns the coding that a client prefers by the Accept-Encoding fields (RFC
// 9110 section 12.5.3); of equally good ones, the first of codings. A client that accepts
// none of them gets identity, even if it does not accept that either.
func chooseCoding(accept []string) string {
	best, most := identity, 0
	weights := parseWeights(accept)
	for _, coding := range codings {
		if weight := weights.of(coding); weight > most {
			best, most = coding, weight
		}
	}
	if weights[identity] > most {
		return identity
	}
	return best
}

// codingWeights are the weights of an Accept-Encoding field in thousandths, by coding.
type codingWeights map[string]int

// of returns the weight of a coding; 0 is not acceptable.
func (w codingWeights) of(coding string) int {
	if weight, named := w[coding]; named {
		return weight
	}
	return w["*"]
}

func parseWeights(fields []string) codingWeights {
	weights := codingWeights{}
	for _, field := range fields {
		for element := range strings.SplitSeq(field, ",") {
			coding, parameter, weighted := strings.Cut(element, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding == "x-gzip" { // RFC 9110 section 8.4.1.3
				coding = "gzip"
			}
			weights[coding] = 1000
			if weighted {
				weights[coding] = parseWeight(parameter)
			}
		}
	}
	return weights
}

// parseWeight returns a weight in thousandths. Another parameter is 0: nothing says then that
// the coding is welcome.
func parseWeight(parameter string) int {
	name, value, _ := strings.Cut(parameter, "=")
	if !strings.EqualFold(strings.TrimSpace(name), "q") {
		return 0
	}
	return header.ParseWeight(value)
}

// Rank returns which of some codings a client prefers to the body as it is, by the
// Accept-Encoding fields: the best first, and equally good ones in their order.
func Rank(accept, codings []string) (list []string) {
	weights := parseWeights(accept)
	for _, coding := range codings {
		if weight := weights.of(coding); weight > 0 && weight >= weights[identity] {
			list = append(list, coding)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return weights.of(b) - weights.of(a) })
	return list
}
