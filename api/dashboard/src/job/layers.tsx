import { bytes, compact, count } from "../number";
import type { Layer } from "../wire";

const shape = (sides: number[]): string => sides.join("×");

export function Layers({ layers }: { layers: Layer[] }) {
  const sum = (of: (layer: Layer) => number): number => layers.reduce((total, layer) => total + of(layer), 0);
  return (
    <section class="panel" aria-labelledby="layers">
      <h2 id="layers">Layers</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Layers, scrollable">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Kind</th>
              <th scope="col">In</th>
              <th scope="col">Out</th>
              <th scope="col" class="number">Parameters</th>
              <th scope="col" class="number">FLOPs a sample</th>
              <th scope="col" class="number">Activations</th>
            </tr>
          </thead>
          <tbody>
            {layers.map((layer) => (
              <tr key={layer.name}>
                <td>
                  <code>{layer.name}</code>
                </td>
                <td>{layer.kind}</td>
                <td>{shape(layer.input)}</td>
                <td>{shape(layer.output)}</td>
                <td class="number">{count(layer.parameters)}</td>
                <td class="number">{compact(layer.flops)}</td>
                <td class="number">{bytes(layer.activation_bytes)}</td>
              </tr>
            ))}
          </tbody>
          <tfoot>
            <tr>
              <th scope="row" colSpan={4}>
                In all
              </th>
              <td class="number">{count(sum((layer) => layer.parameters))}</td>
              <td class="number">{compact(sum((layer) => layer.flops))}</td>
              <td class="number">{bytes(sum((layer) => layer.activation_bytes))}</td>
            </tr>
          </tfoot>
        </table>
      </div>
    </section>
  );
}
