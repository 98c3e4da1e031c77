// Puts the parts of the page together.

import { ChartList } from "./chart-list.js";
import { byId } from "./dom.js";
import { Live } from "./live.js";
import { World } from "./world.js";

const world = new World();
const live = new Live(world);
const list = new ChartList(world);

world.addEventListener("change", list.draw);
world.addEventListener("moment", list.draw);
byId("search").addEventListener("input", (event) => list.search(event.target.value));
live.open([]);
