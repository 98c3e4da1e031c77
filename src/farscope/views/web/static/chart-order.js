// The order of items within each layer, so that few arrows cross, and their positions.

const SWEEPS = 8;
const PATIENCE = 4; // sweeps without a gain
const RELAXATIONS = 4;
const ROUNDS = 10; // of placing; after these, nothing moves by a pixel in realistic charts

/**
 * Order the items of each layer in place.
 *
 * An item has {w, links, up, down}; a link is {upper, lower, upperAt, lowerAt, weight} with its attachment
 * points relative to the middle of the item.
 */
export function reorder(layers) {
  let best = layers.map((layer) => [...layer]);
  let least = crossings(layers);
  let idle = 0;
  for (let sweep = 0; sweep < SWEEPS && idle < PATIENCE && least > 0; sweep += 1) {
    const down = sweep % 2 === 0;
    const walk = down ? layers : [...layers].reverse();
    for (const layer of walk) sortLayer(layer, down);
    const crossed = crossings(layers);
    idle += 1;
    if (crossed < least) {
      idle = 0;
      least = crossed;
      best = layers.map((layer) => [...layer]);
    }
  }
  layers.forEach((layer, place) => {
    layer.splice(0, layer.length, ...best[place]);
    number(layer);
  });
}

function number(layer) {
  layer.forEach((item, place) => (item.place = place));
}

function sortLayer(layer, down) {
  const wanted = new Map();
  layer.forEach((item, place) => {
    const ends = (down ? item.up : item.down).map((link) => farPlace(link, down) - nearShare(link, down));
    // Without a neighbour an item keeps its position.
    wanted.set(item, ends.length ? ends.reduce((sum, end) => sum + end, 0) / ends.length : place);
  });
  layer.sort((one, other) => wanted.get(one) - wanted.get(other) || one.place - other.place);
  number(layer);
}

function farPlace(link, down) {
  return down ? share(link.upper, link.upperAt) : share(link.lower, link.lowerAt);
}

function nearShare(link, down) {
  const [item, at] = down ? [link.lower, link.lowerAt] : [link.upper, link.upperAt];
  return share(item, at) - item.place;
}

/** Return a position in the layer, in items; attachment points distinguish the arrows of a wide item. */
function share(item, at) {
  return item.place + (item.w > 0 ? (0.9 * at) / item.w : 0);
}

function crossings(layers) {
  layers.forEach(number);
  let sum = 0;
  for (const layer of layers) {
    const links = [];
    for (const item of layer) {
      for (const link of item.down) links.push({ above: share(item, link.upperAt), below: share(link.lower, link.lowerAt) });
    }
    links.sort((one, other) => one.above - other.above || one.below - other.below);
    sum += inversions(links.map((link) => link.below));
  }
  return sum;
}

/** Return the number of pairs in the wrong order, by merging, which is fast even for thousands of arrows. */
function inversions(numbers) {
  if (numbers.length < 2) return 0;
  const middle = numbers.length >> 1;
  const [left, right] = [numbers.slice(0, middle), numbers.slice(middle)];
  let sum = inversions(left) + inversions(right);
  let [i, j] = [0, 0];
  for (let at = 0; at < numbers.length; at += 1) {
    if (j >= right.length || (i < left.length && left[i] <= right[j])) {
      numbers[at] = left[i];
      i += 1;
    } else {
      numbers[at] = right[j];
      j += 1;
      sum += left.length - i;
    }
  }
  return sum;
}

/** Set the x of every item, its middle: near its neighbours, in order, without overlap. */
export function spread(layers, gap) {
  for (const layer of layers) {
    let x = 0;
    layer.forEach((item, place) => {
      if (place > 0) x += (layer[place - 1].w + item.w) / 2 + gap(layer[place - 1], item);
      item.x = x;
    });
    const middle = x / 2;
    for (const item of layer) item.x -= middle;
  }
  for (let round = 0; round < ROUNDS; round += 1) {
    const down = round % 2 === 0;
    for (const layer of down ? layers : [...layers].reverse()) settle(layer, gap, down, !down);
  }
  relax(layers, gap);
}

/** Move items nearer to their neighbours above and below. */
export function relax(layers, gap) {
  for (let round = 0; round < RELAXATIONS; round += 1) {
    for (const layer of round % 2 === 0 ? layers : [...layers].reverse()) settle(layer, gap, true, true);
  }
}

function settle(layer, gap, above, below) {
  const wanted = [];
  const weights = [];
  const distances = [];
  let before = null;
  for (const item of layer) {
    // A small weight on the current position keeps an item without neighbours in place.
    let sum = item.x * 0.01;
    let weight = 0.01;
    if (above) {
      for (const link of item.up) {
        sum += link.weight * (link.upper.x + link.upperAt - link.lowerAt);
        weight += link.weight;
      }
    }
    if (below) {
      for (const link of item.down) {
        sum += link.weight * (link.lower.x + link.lowerAt - link.upperAt);
        weight += link.weight;
      }
    }
    wanted.push(sum / weight);
    weights.push(weight);
    distances.push(before ? (before.w + item.w) / 2 + gap(before, item) : 0);
    before = item;
  }
  const places = apart(wanted, weights, distances);
  for (let i = 0; i < layer.length; i += 1) layer[i].x = places[i];
}

/**
 * Return the positions nearest to those wanted (by least squares) that keep the order and the distances.
 *
 * @param {number[]} wanted
 * @param {number[]} weights
 * @param {number[]} distances  from each to the previous one; the first is ignored
 */
export function apart(wanted, weights, distances) {
  // Blocks of neighbours that move together: sum and weight of their wishes, and where the next block starts.
  const sums = [];
  const heft = [];
  const ends = [];
  let offset = 0;
  for (let i = 0; i < wanted.length; i += 1) {
    if (i > 0) offset += distances[i];
    let sum = (wanted[i] - offset) * weights[i];
    let weight = weights[i];
    while (sums.length && sums[sums.length - 1] * weight > sum * heft[heft.length - 1]) {
      sum += sums.pop();
      weight += heft.pop();
      ends.pop();
    }
    sums.push(sum);
    heft.push(weight);
    ends.push(i + 1);
  }
  const places = [];
  offset = 0;
  for (let block = 0; block < ends.length; block += 1) {
    while (places.length < ends[block]) {
      if (places.length > 0) offset += distances[places.length];
      places.push(sums[block] / heft[block] + offset);
    }
  }
  return places;
}
