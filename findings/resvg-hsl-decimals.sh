#!/usr/bin/env bash
# @resvg/resvg-js 2.6.2 paints black where the hue of an hsl() colour has a decimal.
#
# CSS Color 3 (§4.2.4) takes any number as hue and percentages with decimals, as browsers do. One
# would expect hsl(210.5, 60%, 50%) to be a blue, as hsl(210, 60%, 50%) is. Without an error or a
# warning the shape comes out black, so a set of pictures with computed hues has black grounds.
# Decimals in the percentages are read. Needs Node.js and npm. Seen:
#   hsl(210, 60%, 50%) 50 127 204
#   hsl(210.5, 60%, 50%) 0 0 0
#   hsl(210, 60.5%, 50%) 50 127 204
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --silent --ignore-scripts @resvg/resvg-js@2.6.2 >/dev/null
cat > draw.cjs <<'JS'
const { Resvg } = require('@resvg/resvg-js');
for (const colour of ['hsl(210, 60%, 50%)', 'hsl(210.5, 60%, 50%)', 'hsl(210, 60.5%, 50%)']) {
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1">
    <rect width="1" height="1" fill="${colour}"/></svg>`;
  console.log(colour, ...new Resvg(svg).render().pixels.subarray(0, 3));
}
JS
node draw.cjs | tee seen
diff seen - <<'SEEN'
hsl(210, 60%, 50%) 50 127 204
hsl(210.5, 60%, 50%) 0 0 0
hsl(210, 60.5%, 50%) 50 127 204
SEEN
