// Draws the pictures that the base is trained on: styles, shares and palettes are in styles.json.
//
//   npm ci --ignore-scripts && node make_pictures.mjs --out DIR --count 40000 --seed 1
//
// DIR gets a folder for each style with numbered JPEG files, 64×64. What a picture shows follows
// from seed, style and number alone. `--only STYLE` draws one style, `--full` whole drawings.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { createAvatar } from '@dicebear/core';
import { Resvg } from '@resvg/resvg-js';
import sharp from 'sharp';

const SIDE = 64;
const TILT = 7; // degrees, either way

/** A stream of numbers in [0, 1) that follows from a text. */
class Dice {
  constructor(text) {
    Object.assign(this, { text, block: 0, numbers: [] });
  }

  roll() {
    if (this.numbers.length === 0) {
      const digest = createHash('sha256').update(`${this.text}/${this.block++}`).digest();
      for (let at = 0; at < digest.length; at += 4) this.numbers.push(digest.readUInt32LE(at) / 2 ** 32);
    }
    return this.numbers.pop();
  }

  /** Evenly from `middle - reach` to `middle + reach`. */
  around(middle, reach) {
    return middle + reach * (2 * this.roll() - 1);
  }

  /** One of the items, each with a chance proportional to its weight. */
  choose(items, weight) {
    let left = this.roll() * items.reduce((sum, item) => sum + weight(item), 0);
    return items.find((item) => (left -= weight(item)) < 0) ?? items.at(-1);
  }
}

/** Six hexadecimal digits of a hue in degrees, saturation and lightness in percent. */
function hex([hue, saturation, lightness]) {
  const within = (value) => Math.min(100, Math.max(0, value)) / 100;
  const [s, l] = [within(saturation), within(lightness)];
  const channel = (offset) => {
    const sector = ((((hue + offset) % 360) + 360) % 360) / 60;
    const rise = Math.min(1, Math.max(0, 2 - Math.abs(sector - 2))); // 0 … 1 over the colour wheel
    return l + s * Math.min(l, 1 - l) * (2 * rise - 1);
  };
  return [120, 0, -120]
    .map((offset) => Math.round(255 * channel(offset)).toString(16).padStart(2, '0'))
    .join('');
}

function mix(dice, { colours, jitter }) {
  const colour = dice.choose(colours, (candidate) => candidate[3]);
  return jitter.map((reach, part) => dice.around(colour[part], reach));
}

/** The drawing itself, as the style's author made it but for the colours. */
function draw(dice, style, { paint = {}, options = {}, chances = {}, recolour = {} }, palettes) {
  const chosen = { seed: dice.text, backgroundColor: ['transparent'], ...options };
  for (const [option, palette] of Object.entries(paint)) chosen[option] = [hex(mix(dice, palettes[palette]))];
  for (const [option, percent] of Object.entries(chances)) chosen[`${option}Probability`] = percent;
  let svg = createAvatar(style, chosen)
    .toString()
    .replace(/<metadata.*?<\/metadata>/s, '')
    .replace('mask="url(#viewboxMask)"', ''); // cuts at the drawing's frame
  for (const [palette, found] of Object.entries(recolour)) {
    const colour = `#${hex(mix(dice, palettes[palette]))}`;
    svg = svg.replace(new RegExp(`(?<=")(?:${found})(?=")`, 'gi'), colour);
  }
  return svg;
}

/** The drawing cut out around the face, perhaps mirrored, a little askew, over a gradient. */
function compose(dice, style, recipe, palettes, full) {
  const drawing = draw(dice, style, recipe, palettes);
  const palette = palettes[recipe.ground ?? 'scene'];
  const ground = mix(dice, palette);
  const far = [dice.around(ground[0], palette.fade), ground[1], dice.around(ground[2], 20)];
  const turn = dice.roll() * 360;
  const [x, y, side] = full ? [0.5, 0.5, 1] : recipe.frame;
  const view = full ? 1 : side * dice.around(1.02, 0.1);
  const [left, top] = [x, y].map((middle) => (full ? 0 : dice.around(middle, 0.04 * side) - view / 2));
  const tilt = full ? 0 : dice.around(0, recipe.tilt ?? TILT);
  const mirrored = !full && dice.roll() < 0.5;
  // The nested drawing is 1 by 1; what lies outside its own frame stays visible.
  const placed = drawing.replace('<svg ', '<svg width="1" height="1" overflow="visible" ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${view} ${view}">
    <linearGradient id="ground" gradientTransform="rotate(${turn} 0.5 0.5)">
      <stop stop-color="#${hex(ground)}"/><stop offset="1" stop-color="#${hex(far)}"/>
    </linearGradient>
    <rect width="${view}" height="${view}" fill="url(#ground)"/>
    <g transform="${mirrored ? `matrix(-1 0 0 1 ${view} 0)` : ''} translate(${-left} ${-top}) rotate(${tilt} ${x} ${y})">
      ${placed}
    </g>
  </svg>`;
}

/** Pixels at twice the size, halved. */
async function rasterise(svg) {
  const large = new Resvg(svg, {
    fitTo: { mode: 'width', value: 2 * SIDE },
    font: { loadSystemFonts: false },
  }).render();
  const raw = { width: large.width, height: large.height, channels: 4 };
  return sharp(large.pixels, { raw }).removeAlpha().resize(SIDE, SIDE).raw().toBuffer();
}

/** How many pictures each style gets: its share, rounded so that they add up. */
function counts(styles, total) {
  const all = Object.values(styles).reduce((sum, { share }) => sum + share, 0);
  let before = 0;
  return Object.entries(styles).map(([name, { share }]) => {
    const start = Math.round((total * before) / all);
    before += share;
    return [name, Math.round((total * before) / all) - start];
  });
}

const { values } = parseArgs({
  options: {
    out: { type: 'string' },
    count: { type: 'string', default: '40000' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
    full: { type: 'boolean', default: false },
  },
});
if (!values.out) throw new Error('--out DIR says where the pictures go');
const recipe = JSON.parse(readFileSync(new URL('styles.json', import.meta.url), 'utf8'));
const styles = values.only ? { [values.only]: recipe.styles[values.only] } : recipe.styles;

sharp.concurrency(1);
sharp.cache(false);
for (const [name, count] of counts(styles, Number(values.count))) {
  const started = Date.now();
  const style = await import(`@dicebear/${name}`);
  const folder = join(values.out, name);
  mkdirSync(folder, { recursive: true });
  const seen = new Set();
  let again = 0;
  for (let number = 1; number <= count; number++) {
    let pixels;
    for (let attempt = 0; ; attempt++) {
      const dice = new Dice(`${values.seed}/${name}/${number}/${attempt}`);
      pixels = await rasterise(compose(dice, style, styles[name], recipe.palettes, values.full));
      const digest = createHash('sha256').update(pixels).digest('base64');
      if (!seen.has(digest)) {
        seen.add(digest);
        break;
      }
      again++;
    }
    const picture = sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } });
    const jpeg = await picture.jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer();
    writeFileSync(join(folder, `${String(number).padStart(6, '0')}.jpg`), jpeg);
  }
  const seconds = (Date.now() - started) / 1000;
  console.log(`${name}: ${count} pictures, ${again} drawn again, ${seconds.toFixed(1)} s`);
}
