r"""Pictures and texts of the state tables, made from the tables that run.

    table (firmware.txn) -> graph.py -> card.py, plan.py, place.py -> scene.py -> svg.py, png.py
                                    \-> dot.py, mermaid.py, plantuml.py, scxml.py, table_json.py, document.py

`graph` says what there is to draw, `card` what stands in the box of a state, `plan` and `place` where the
boxes and lines go, `scene` turns that into shapes, and every writer turns shapes (or the graph) into its
format. Nothing here names a state: order, lanes, colours and steps all come from the table's rows.
"""
