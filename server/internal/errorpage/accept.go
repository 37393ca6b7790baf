package errorpage

import (
	"strings"

	"github.com/wavey-ai/upload-response/server/internal/header"
)

// choose returns the page that a client prefers by the Accept fields (RFC 9110 section
// 12.5.1): of equally welcome ones the file, which may be nil, then text. A client that
// accepts none of them gets that one, too.
func choose(file *page, accept []string) *page {
	best, most := file, 0
	if file == nil {
		best = &text
	}
	if len(accept) == 0 {
		return best
	}
	for _, p := range [...]*page{file, &text, &hyper, &problem} {
		if p == nil {
			continue
		}
		if weight := p.weight(accept); weight > most {
			best, most = p, weight
		}
	}
	return best
}

// weight returns how welcome a page is, in thousandths. Who wants JSON gets problem details.
func (p *page) weight(accept []string) int {
	weight := weightOf(accept, p.media)
	if p.media == problem.media {
		weight = max(weight, weightOf(accept, "application/json"))
	}
	return weight
}

// weightOf returns the weight of a media type: that of the most specific range.
func weightOf(accept []string, media string) (weight int) {
	whole, _, _ := strings.Cut(media, "/")
	best := 0
	for _, field := range accept {
		for element := range strings.SplitSeq(field, ",") {
			wanted, parameters, _ := strings.Cut(element, ";")
			if fit := fitOf(strings.TrimSpace(wanted), whole, media); fit > best {
				best, weight = fit, header.Weight(parameters)
			}
		}
	}
	return weight
}

// fitOf returns how specifically a range means a media type; 0: it does not.
func fitOf(wanted, whole, media string) int {
	switch {
	case strings.EqualFold(wanted, media):
		return 3
	case len(wanted) == len(whole)+2 && strings.HasSuffix(wanted, "/*") &&
		strings.EqualFold(wanted[:len(whole)], whole):
		return 2
	case wanted == "*/*":
		return 1
	}
	return 0
}
