package sdp_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

var update = flag.Bool("update", false, "write the golden answers of testdata/sdp anew")

func corpus(t testing.TB) []string {
	files, err := filepath.Glob("../../testdata/sdp/*.sdp")
	require.NoError(t, err)
	require.NotEmpty(t, files, "the corpus is missing")
	return files
}

func local() sdp.Local {
	return sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: 16384, ID: 7, Version: 1}
}

func g711() []sdp.Codec { return []sdp.Codec{sdp.PCMU(), sdp.PCMA()} }

// TestEveryOfferOfTheCorpusGetsItsAnswer compares with the .answer file beside
// each offer: what was agreed, a line of dashes, the answer; or the error.
// Run with -update to write them anew, then read the difference.
func TestEveryOfferOfTheCorpusGetsItsAnswer(t *testing.T) {
	for _, file := range corpus(t) {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".sdp"), func(t *testing.T) {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			got := answerText(body)
			golden := strings.TrimSuffix(file, ".sdp") + ".answer"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			assert.Equal(t, string(want), got)
		})
	}
}

func answerText(body []byte) string {
	offer, err := sdp.Parse(body)
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	answer, agreed, err := sdp.NewAnswer(offer, local(), g711())
	if err != nil {
		return fmt.Sprintf("error: %v\n", err)
	}
	return describe(agreed) + "----\n" + string(answer.Marshal())
}

func describe(a sdp.Agreed) string {
	event := "none"
	if a.Event != nil {
		event = fmt.Sprintf("%s/%d as %d, toward us %d", a.Event.Name, a.Event.Rate, a.Event.PT, a.LocalEventPT)
	}
	return fmt.Sprintf("line %d\nremote %v\nrtcp %v mux %v\naudio %s/%d as %d, toward us %d\nevent %s\nsend %v receive %v ptime %d\n",
		a.Index, a.Remote, a.RTCP, a.RTCPMux, a.Audio.Name, a.Audio.Rate, a.Audio.PT, a.LocalPT,
		event, a.Send, a.Receive, a.Ptime)
}
