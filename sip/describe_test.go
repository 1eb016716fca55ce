package sip

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is to be offered is asked for when the turn has come, so that it can be
// refused then, and nothing is sent.
func TestADescriptionIsMadeWhenItsTurnHasCome(t *testing.T) {
	errNone := errors.New("nothing to describe")
	for name, c := range map[string]struct {
		change Change
		want   string
	}{
		"made now":     {Change{Describe: func() ([]byte, error) { return []byte("v=0"), nil }}, ""},
		"with nothing": {Change{Describe: func() ([]byte, error) { return nil, nil }}, "without a byte"},
		"not any more": {Change{Describe: func() ([]byte, error) { return nil, errNone }}, errNone.Error()},
		"made before":  {Change{Offer: []byte("v=0")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.True(t, c.change.offers())
			err := c.change.describe()
			if c.want != "" {
				require.ErrorContains(t, err, c.want)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "v=0", string(c.change.Offer))
		})
	}
	require.NoError(t, (&Change{}).describe())
	require.False(t, (&Change{}).offers())
}
